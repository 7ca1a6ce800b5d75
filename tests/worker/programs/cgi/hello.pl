use strict;
use warnings;

binmode(STDIN);
binmode(STDOUT);
my $body = do { local $/; <STDIN> } // '';
print "Content-Type: text/plain\r\nX-Script: $ENV{SCRIPT_NAME}\r\n\r\n";
print "perl: $ENV{REQUEST_METHOD} " . ($ENV{PATH_INFO} // '') . " " . length($body) . "\n";
