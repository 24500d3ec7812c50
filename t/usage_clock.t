# Copyright (C) The nginx gateway modules authors

# The clock of the machine goes back, and on again, while a request is at
# work: the durations of its events still add up to that of the whole.
#
# t/lib/clock.c is nginx's clock.

use strict;
use warnings;

my ($clock, $library);

# Test::Nginx looks at it when it is loaded; it is for nginx alone

BEGIN {
    $clock = "$ENV{TEST_NGINX_RUN}/clock";
    $library = "$ENV{TEST_NGINX_RUN}/clock.so";

    system($ENV{CC} || 'cc', '-shared', '-fPIC', '-O1', '-o', $library,
           't/lib/clock.c', '-ldl') == 0
        or die "cannot compile clock.c\n";

    mkdir $clock or die "$clock: $!\n";

    $ENV{CLOCK} = $clock;
    $ENV{LD_PRELOAD} = $library;
    $ENV{ASAN_OPTIONS} = ($ENV{ASAN_OPTIONS} // '')
                         . ',verify_asan_link_order=0';
}

use Test::Nginx::Socket 'no_plan';
use GwUsage;
use GwScene;


set_clock(0);


# at once: it is read all the time

sub set_clock {
    my ($offset) = @_;

    open(my $fh, '>', "$clock/new") or die "$clock/new: $!\n";
    print $fh $offset;
    close($fh);

    rename("$clock/new", "$clock/time") or die "$clock/time: $!\n";
}


no_long_string();
run_tests();

__DATA__

=== TEST 1: an hour back, and on again
--- config
    location = /t {
        gw_usage           on;
        gw_usage_api       clock;
        gw_usage_interval  1s;
        proxy_pass         http://$TEST_NGINX_UPSTREAM;
    }
--- scene eval
sub {
    my ($client, $up) = GwScene::begin(GwScene::get('/t?n=clock'));

    GwScene::interim('clock', 2);

    main::set_clock(-3600);

    # some may have been made before that, the others take no time

    my @back = GwScene::interim('clock', 2, qr/"duration_ms":0,/);

    Test::More::is(scalar(grep { !/"duration_ms":\d+,/ } @back), 0,
                   'not below 0');

    main::set_clock(0);
    GwScene::interim('clock', @back + 1);

    syswrite($up, "HTTP/1.0 200 OK\r\n\r\nhello");
    close($up);
    GwScene::expect($client, 'hello');
}
--- sums
api=clock interim=5
