print "hidden\n";
