# Copyright (C) The nginx gateway modules authors

# A script that Redis does not know: its text is sent within the deadline of
# the request, not with a new one, and by one of those who need it at once.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use GWAuthService;
use GWRedis;
use GWTest;


my $fake = GWRedis::Fake->new;
my $gw = gateway('one', $fake->port, '900ms');


sub gateway {
    my ($name, $port, $timeout) = @_;

    return GWTest::Gateway->new(name => $name, conf => <<"END");
load_module  modules/ngx_http_gw_ratelimit_module.so;

user              www-data;
worker_processes  1;
pid               /run/nginx.pid;
error_log         /var/log/nginx/error.log info;

events {
    worker_connections  1024;
}

http {
    log_format  uri  '\$request_uri';
    access_log  /var/log/nginx/access.log uri;

    gw_ratelimit_redis  redis://127.0.0.1:$port timeout=$timeout;

    server {
        listen  8080;

        location /limited/ {
            gw_ratelimit  calls key=\$request_uri rate=1r/d error=deny;
            empty_gif;
        }

        location = /status {
            stub_status;
            access_log  off;
        }
    }
}
END
}


sub other_requests {
    $gw->get('/status') for 1 .. 20;
}


my ($first, $second, $answers, $log);

# on a machine that is so slow that the first one is over before there is an
# answer there is another try

for my $try (1 .. 10) {
    $fake->forget;
    $fake->holds(EVALSHA => '-NOSCRIPT No matching script.');
    $fake->says(EVAL => '');

    my $from = time;

    $first = send_request($gw->port, 'GET', '/limited/first');

    wait_for(sub { $fake->count('EVALSHA') == 1 || time > $from + 1 },
             'the first request');
    other_requests();

    $fake->says(EVALSHA => '');

    $second = send_request($gw->port, 'GET', '/limited/second');

    wait_for(sub { $fake->count('EVALSHA') == 2 || time > $from + 2 },
             'the second request');
    other_requests();

    $fake->frees('EVALSHA');

    my $took = time - $from;

    $answers = join ' ', map { read_response($_, 30)->{status} } $second,
                                                                 $first;
    wait_for(sub { (() = $gw->access_log =~ /\n/g) == 2 * $try },
             'the access log');
    $log = join ' ', (split /\n/, $gw->access_log)[-2, -1];

    last if $took < 0.6;

    $gw->stop('TERM');
    $gw->start;
}

is($answers, '503 503', 'both are refused');
is($fake->count('EVAL'), 1, 'the text was sent, and once');
is($log, '/limited/first /limited/second',
   'who came first has waited no longer');


# more at once than there is room for texts: 4 MiB for 9 KB; within their
# deadline, or there is another try

my $redis = GWTest::Server->new('redis');
my $many = gateway('many', $redis->port, '10s');
my ($decided, $texts);

for my $try (1 .. 10) {
    is($many->get("/limited/known-$try")->{status}, 200, 'Redis is there');

    $redis->command(qw(SCRIPT FLUSH));
    $redis->command(qw(CONFIG RESETSTAT));
    $redis->signal('STOP');

    my $from = time;
    my @clients = map { send_request($many->port, 'GET', "/limited/$try-$_") }
                  1 .. 600;

    wait_for(sub {
        $many->get('/status')->{body} =~ /Writing: (\d+)/ && $1 > 600
        || time > $from + 5;
    }, 'all requests');

    $redis->signal('CONT');

    $decided = grep { read_response($_, 30)->{status} == 200 } @clients;
    ($texts) = $redis->command(qw(INFO commandstats)) =~ /_eval:calls=(\d+)/;

    last if time < $from + 5;
}

is($decided, 600, 'all are decided');
is($texts, 1, 'one of them brought the text');

done_testing();
