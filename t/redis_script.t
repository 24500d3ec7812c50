# Copyright (C) The nginx gateway modules authors

# A script that Redis does not know: its text is sent within the deadline of
# the request, not with a new one.

use strict;
use warnings;

use Test::More;

use GWAuthService;
use GWRedis;
use GWTest;


my $fake = GWRedis::Fake->new;
my $port = $fake->port;

my $gw = GWTest::Gateway->new(conf => <<"END");
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

    gw_ratelimit_redis  redis://127.0.0.1:$port timeout=900ms;

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


sub other_requests {
    $gw->get('/status') for 1 .. 20;
}


$fake->holds(EVALSHA => '-NOSCRIPT No matching script.');
$fake->says(EVAL => '');

my $first = send_request($gw->port, 'GET', '/limited/first');

wait_for(sub { $fake->count('EVALSHA') == 1 }, 'the first request');
other_requests();

$fake->says(EVALSHA => '');

my $second = send_request($gw->port, 'GET', '/limited/second');

wait_for(sub { $fake->count('EVALSHA') == 2 }, 'the second request');
other_requests();

$fake->frees('EVALSHA');

is(read_response($second, 30)->{status}, 503, 'the second one is refused');
is(read_response($first, 30)->{status}, 503, 'the first one, too');

is($fake->count('EVAL'), 1, 'the text was sent, and once');
is($gw->access_log, "/limited/first\n/limited/second\n",
   'who came first has waited no longer');

done_testing();
