# Copyright (C) The nginx gateway modules authors

# The modules share sources, and nginx loads them into one name space: they
# may export nothing but what nginx looks for.

use strict;
use warnings;

use File::Basename qw(basename);
use Test::More;

use GWTest;


my @modules = split ' ', $ENV{TEST_NGINX_LOAD_MODULES};

if (GWTest::slurp($modules[0]) =~ /__asan_init/) {
    plan(skip_all => 'a sanitizer exports symbols of its own');
}

is(@modules, 3, 'there are three modules');

for my $so (@modules) {
    my $said = `'$GWTest::ROOT/tools/symbols.sh' '$so' 2>&1`;

    is("$? $said", '0 ', basename($so));
}

done_testing();
