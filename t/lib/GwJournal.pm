# Copyright (C) The nginx gateway modules authors

# A journal of usage that no other program has, and a new one each time:
#
#     GwJournal::directive('size=64m')
#
# It is in TEST_NGINX_RUN, for Test::Nginx does not want folders it does not
# know in its own.  Segments being written lie on a tmpfs, in TEST_NGINX_TAIL,
# which goes with the program.

package GwJournal;

use strict;
use warnings;

use File::Temp;


my $run = $ENV{TEST_NGINX_RUN};
my $n = 0;

my $tail = File::Temp->newdir('gw-test-XXXXXX', DIR => '/dev/shm');

# workers may have another user

chmod(0755, $tail) or die "$tail: $!\n";

$ENV{TEST_NGINX_TAIL} = "$tail";


sub directive {
    my $params = shift // 'size=64m';

    $n++;

    return "gw_usage_journal $run/gw-usage-$n tail=$tail $params;\n";
}


1;
