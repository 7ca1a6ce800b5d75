"""CGI (RFC 3875) as IIS's worker runs it: a process for each request.

`scripts` finds the program that a path names, `head` reads what a program says of its answer, `programs` runs one and
ends it with all that it started, `application` is the request from end to end.

Not done: scripts that write the status line themselves (NPH), and words of the query as arguments, by which strangers
have given php-cgi options of its command line.
"""
