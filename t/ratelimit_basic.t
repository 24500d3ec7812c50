# Copyright (C) The nginx gateway modules authors

# What gw_ratelimit lets in and refuses, with a real Redis; headers, bodies
# and variables.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwRatelimit;


# days pass between two tokens: nothing here depends on the speed of a machine

our $show = <<'END';
        add_header  X-Status "$gw_ratelimit_status" always;
        add_header  X-Numbers "$gw_ratelimit_remaining/$gw_ratelimit_reset"
                    always;
END

$show =~ s/\n +always/ always/;


# the body of a 429, with the id of the request taken out of it

sub problem {
    my $names = join ',', map { "\"$_\"" } @_;

    return '{"type":"https://iana.org/assignments/http-problem-types'
           . '#quota-exceeded","title":"Too Many Requests","status":429,'
           . '"detail":"The quota of a policy has been exceeded",'
           . "\"request_id\":\"ID\",\"violated-policies\":[$names]}\n";
}


add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('response_body_filters', sub {
        return shift =~ s/("request_id":")[0-9a-f]{32}"/$1ID"/r;
    });
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: a bucket is used up, then requests are refused
--- config eval
"
    location = /t.txt {
        gw_ratelimit  calls key=\$arg_k rate=1r/d burst=2;
$main::show
    }
"
--- request eval
["GET /t.txt?k=used", "GET /t.txt?k=used", "GET /t.txt?k=used",
 "GET /t.txt?k=other"]
--- error_code eval
[200, 200, 429, 200]
--- response_body eval
["hello\n", "hello\n", main::problem('calls'), "hello\n"]
--- response_headers_like eval
['RateLimit-Policy: "calls";q=2;w=172800
RateLimit: "calls";r=1;t=86(400|399)
X-Status: passed
X-Numbers: 1/86(400|399)
Content-Type: text/plain
Retry-After:',
'RateLimit-Policy: "calls";q=2;w=172800
RateLimit: "calls";r=0;t=86(40[01]|3\d\d)
X-Status: passed
X-Numbers: 0/86(40[01]|3\d\d)
Retry-After:',
'RateLimit-Policy: "calls";q=2;w=172800
RateLimit: "calls";r=0;t=86(40[01]|3\d\d)
X-Status: limited
X-Numbers: 0/86(40[01]|3\d\d)
Content-Type: application/problem\+json
Retry-After: 86(40[01]|3\d\d)',
'RateLimit: "calls";r=1;t=86(400|399)
X-Status: passed
Retry-After:']
--- redis
EXISTS gw:{used}:calls => 1
TYPE gw:{used}:calls => string
PTTL gw:{used}:calls => 172\d{6}
PTTL gw:{other}:calls => 86\d{6}



=== TEST 2: a token comes back with time, here by moving the bucket's
--- config eval
"
    location = /t.txt {
        gw_ratelimit  calls key=\$arg_k rate=1r/d burst=2;
$main::show
    }
"
--- redis_init
INCRBY gw:{used}:calls -86400000000
--- request eval
["GET /t.txt?k=used", "GET /t.txt?k=used"]
--- error_code eval
[200, 429]
--- response_headers eval
["X-Status: passed", "X-Status: limited"]



=== TEST 3: several limits in one location, all or none
--- config eval
"
    location = /t.txt {
        gw_ratelimit  calls key=\$arg_k rate=1r/d burst=3;
        gw_ratelimit  team key=\$arg_j rate=1r/h burst=2;
        gw_ratelimit  all key=all rate=1r/d burst=9;
$main::show
    }
"
--- request eval
["GET /t.txt?k=a&j=t", "GET /t.txt?k=b&j=t", "GET /t.txt?k=a&j=t",
 "GET /t.txt?k=a&j=u"]
--- error_code eval
[200, 200, 429, 200]
--- response_body eval
["hello\n", "hello\n", main::problem('team'), "hello\n"]
--- response_headers_like eval
['RateLimit-Policy: "calls";q=3;w=259200, "team";q=2;w=7200, "all";q=9;w=777600
RateLimit: "calls";r=2;t=8\d+, "team";r=1;t=3\d+, "all";r=8;t=8\d+
X-Numbers: 1/3(60[01]|5\d\d)',
'RateLimit: "calls";r=2;t=8\d+, "team";r=0;t=3\d+, "all";r=7;t=8\d+',
'RateLimit: "calls";r=2;t=8\d+, "team";r=0;t=3\d+, "all";r=7;t=8\d+
Retry-After: 3(60[01]|5\d\d)
X-Numbers: 0/3(60[01]|5\d\d)
X-Status: limited',
'RateLimit: "calls";r=1;t=8\d+, "team";r=1;t=3\d+, "all";r=6;t=8\d+
X-Numbers: 1/.*']



=== TEST 4: two limits refuse, the longer wait counts
--- config
    location = /t.txt {
        gw_ratelimit  second key=$arg_k rate=1r/h burst=1;
        gw_ratelimit  hour key=$arg_k rate=1r/d burst=1;
        gw_ratelimit  day key=$arg_k rate=1r/d burst=5;
    }
--- request eval
["GET /t.txt?k=longer", "GET /t.txt?k=longer"]
--- error_code eval
[200, 429]
--- response_body eval
["hello\n", main::problem('second', 'hour')]
--- response_headers_like eval
["Retry-After:", "Retry-After: 86(40[01]|3..)"]



=== TEST 5: a tier by a variable
--- http_config
    gw_ratelimit_tier  free rate=1r/d burst=1;
    gw_ratelimit_tier  gold rate=1r/d burst=3;
--- config eval
"
    location = /t.txt {
        gw_ratelimit  calls key=\$arg_k tier=\$arg_t;
$main::show
    }
"
--- request eval
["GET /t.txt?k=tier&t=free", "GET /t.txt?k=tier&t=free",
 "GET /t.txt?k=tier&t=gold"]
--- error_code eval
[200, 429, 200]
--- response_headers eval
['RateLimit-Policy: "calls";q=1;w=86400',
 'RateLimit-Policy: "calls";q=1;w=86400',
 'RateLimit-Policy: "calls";q=3;w=259200']
--- redis
KEYS gw:{tier}:* => gw:\{tier\}:calls:free gw:\{tier\}:calls:gold



=== TEST 6: a tier by its name, and one made of text and a variable
--- http_config
    gw_ratelimit_tier  free rate=1r/d burst=1;
    gw_ratelimit_tier  eu-gold rate=1r/d burst=3;
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k tier=free;
        gw_ratelimit  eu key=$arg_k tier=eu-$arg_t;
    }
--- request
GET /t.txt?k=named&t=gold
--- response_headers
RateLimit-Policy: "calls";q=1;w=86400, "eu";q=3;w=259200
--- redis
KEYS gw:{named}:* => gw:\{named\}:calls:free gw:\{named\}:eu:eu-gold



=== TEST 7: an unknown or empty tier is the one named "default"
--- http_config
    gw_ratelimit_tier  gold rate=1r/d burst=3;
    gw_ratelimit_tier  default rate=1r/d burst=2;
    gw_ratelimit_tier  free rate=1r/d burst=1;
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k tier=$arg_t;
    }
--- request eval
["GET /t.txt?k=default&t=silver", "GET /t.txt?k=default",
 "GET /t.txt?k=default&t=go", "GET /t.txt?k=default&t=gold"]
--- error_code eval
[200, 200, 429, 200]
--- response_headers eval
['RateLimit-Policy: "calls";q=2;w=172800',
 'RateLimit-Policy: "calls";q=2;w=172800',
 'RateLimit-Policy: "calls";q=2;w=172800',
 'RateLimit-Policy: "calls";q=3;w=259200']
--- redis
KEYS gw:{default}:* => gw:\{default\}:calls:default gw:\{default\}:calls:gold



=== TEST 8: an unknown tier without a default is refused, nothing is taken
--- http_config
    gw_ratelimit_tier  free rate=1r/d burst=1;
--- config eval
"
    location = /t.txt {
        gw_ratelimit  first key=\$arg_k rate=1r/d burst=1;
        gw_ratelimit  calls key=\$arg_k tier=\$arg_t;
$main::show
    }
"
--- request eval
["GET /t.txt?k=unknown&t=fre", "GET /t.txt?k=unknown&t=freee",
 "GET /t.txt?k=unknown"]
--- error_code eval
[403, 403, 403]
--- response_body eval
[('{"type":"about:blank","title":"Forbidden","status":403,'
 . '"detail":"The caller has no known tier","request_id":"ID"}' . "\n") x 3]
--- response_headers eval
[("Content-Type: application/problem+json
! RateLimit
! RateLimit-Policy
! Retry-After
X-Status: unknown_tier
X-Numbers: /") x 3]
--- redis
KEYS gw:{unknown}:* => 



=== TEST 9: an empty key skips the limit, not its neighbours
--- config eval
"
    location = /t.txt {
        gw_ratelimit  calls key=\$arg_k rate=1r/d burst=1;
        gw_ratelimit  team key=\$arg_j rate=1r/d burst=2;
$main::show
    }
"
--- request eval
["GET /t.txt", "GET /t.txt?j=skip", "GET /t.txt?j=skip", "GET /t.txt?j=skip",
 "GET /t.txt?k="]
--- error_code eval
[200, 200, 200, 429, 200]
--- response_headers_like eval
['X-Status: skipped
RateLimit:
RateLimit-Policy:',
'X-Status: passed
RateLimit-Policy: "team";q=2;w=172800
RateLimit: "team";r=1;t=\d+',
'X-Status: passed', 'X-Status: limited', 'X-Status: skipped']
--- redis
KEYS gw:{skip}* => gw:\{skip\}:team
EXISTS gw:{}:calls => 0



=== TEST 10: limits are inherited, replaced as a whole, and switched off
--- http_config
    gw_ratelimit  web key=$arg_k rate=1r/d burst=5;
--- config eval
"
    gw_ratelimit  server key=\$arg_k rate=1r/d burst=3;
    gw_ratelimit  second key=\$arg_k rate=1r/d burst=4;

    location = /t.txt {
$main::show
    }

    location /own/ {
        gw_ratelimit  own key=\$arg_k rate=1r/d burst=2;
        alias         \$TEST_NGINX_SERVER_ROOT/html/;

        location /own/nested/ {
            alias  \$TEST_NGINX_SERVER_ROOT/html/;
        }
    }

    location /off/ {
        gw_ratelimit  off;
        alias         \$TEST_NGINX_SERVER_ROOT/html/;
$main::show
    }
"
--- request eval
["GET /t.txt?k=inherit", "GET /own/t.txt?k=inherit",
 "GET /own/nested/t.txt?k=inherit", "GET /off/t.txt?k=inherit"]
--- response_body eval
[("hello\n") x 4]
--- response_headers eval
['RateLimit-Policy: "server";q=3;w=259200, "second";q=4;w=345600',
'RateLimit-Policy: "own";q=2;w=172800',
'RateLimit-Policy: "own";q=2;w=172800',
'! RateLimit-Policy
X-Status: ']
--- redis
KEYS gw:{inherit}:* => gw:\{inherit\}:own gw:\{inherit\}:second gw:\{inherit\}:server
PTTL gw:{inherit}:own => 1728\d{5}|1727\d{5}



=== TEST 11: locations share the bucket of a name
--- config
    location = /t.txt {
        gw_ratelimit  shared key=$arg_k rate=1r/d burst=1;
    }

    location = /other.txt {
        gw_ratelimit  shared key=$arg_k rate=1r/d burst=1;
    }
--- request eval
["GET /t.txt?k=shared", "GET /other.txt?k=shared"]
--- error_code eval
[200, 429]



=== TEST 12: variables in the access log, and in it only
--- http_config
    log_format  ratelimit '[$status $gw_ratelimit_status '
                          '$gw_ratelimit_remaining $gw_ratelimit_reset]';
--- config
    access_log  $TEST_NGINX_SERVER_ROOT/logs/access.log ratelimit;

    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
    }
--- request eval
["GET /t.txt?k=log", "GET /other.txt?k=log"]
--- response_headers eval
["! X-Status", "! X-Status"]
--- access_lines
1 \[200 passed 0 86400\]



=== TEST 13: no variables where there is no limit
--- http_config
    log_format  ratelimit '[$status $gw_ratelimit_status '
                          '$gw_ratelimit_remaining $gw_ratelimit_reset]';
--- config
    access_log  $TEST_NGINX_SERVER_ROOT/logs/access.log ratelimit;

    location = /t.txt { }
--- request
GET /t.txt
--- access_lines
1 \[200 - - -\]



=== TEST 14: the log of a refusal, at "info", and of no more than that
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
    }
--- request eval
["GET /t.txt?k=refused", "GET /t.txt?k=refused"]
--- error_code eval
[200, 429]
--- no_error_log
[warn]
[error]
[alert]
[crit]
--- log_lines
1 \[info\] .* gw ratelimit: limited by "calls", tier ""



=== TEST 15: HEAD has the headers of a GET, and no body
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
    }
--- request eval
["HEAD /t.txt?k=head", "HEAD /t.txt?k=head"]
--- error_code eval
[200, 429]
--- response_body eval
["", ""]
--- response_headers_like eval
['Content-Length: 6
RateLimit: "calls";r=0;t=86400',
'Content-Type: application/problem\+json
Retry-After: 86(40[01]|3\d\d)
Content-Length: ' . (CORE::length(main::problem('calls')) + 30)]



=== TEST 16: the body of a refused POST is not in the way of the next request
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
        proxy_pass    http://127.0.0.1:$TEST_NGINX_SERVER_PORT/other.txt;
        proxy_method  GET;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
    }
--- raw_request eval
CORE::join '', map { "POST /t.txt?k=post HTTP/1.1\r\nHost: localhost\r\n"
               . "Content-Length: 5\r\nConnection: $_\r\n\r\nGET /" }
             qw(keep-alive keep-alive close)
--- ignore_response
--- log_lines
2 limited by "calls"
--- redis
EXISTS gw:{post}:calls => 1



=== TEST 17: a proxied response has the headers, and one limited by the upstream its own
--- config eval
"
    location = /up {
        gw_ratelimit  calls key=\$arg_k rate=1r/d burst=5;
        proxy_pass    http://127.0.0.1:\$TEST_NGINX_SERVER_PORT/\$arg_u;
$main::show
    }

    location = /busy {
        add_header  Retry-After 7 always;
        return      429 busy;
    }
"
--- request eval
["GET /up?k=proxied&u=t.txt", "GET /up?k=proxied&u=busy"]
--- error_code eval
[200, 429]
--- response_body eval
["hello\n", "busy"]
--- response_headers_like eval
['RateLimit: "calls";r=4;t=86400
Content-Type: text/plain
Retry-After:',
'RateLimit: "calls";r=3;t=\d+
X-Status: passed
Content-Type: text/plain
Retry-After: 7']



=== TEST 18: the user's error page wins
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
        error_page    429 /other.txt;
    }
--- request eval
["GET /t.txt?k=page", "GET /t.txt?k=page"]
--- error_code eval
[200, 429]
--- response_body eval
["hello\n", "other\n"]
--- response_headers_like eval
['Retry-After:',
'Content-Type: text/plain
RateLimit: "calls";r=0;t=\d+
Retry-After: 86\d\d\d']



=== TEST 19: 304 and ranges of a file that is let in
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=2;
    }
--- request eval
["GET /t.txt?k=range", "GET /t.txt?k=range", "GET /t.txt?k=range"]
--- more_headers
Range: bytes=1-2
--- error_code eval
[206, 206, 429]
--- response_body eval
["el", "el", main::problem('calls')]
--- response_headers eval
["Content-Range: bytes 1-2/6", "Content-Range: bytes 1-2/6",
"! Content-Range
! Accept-Ranges
! ETag
! Last-Modified"]



=== TEST 20: a connection is kept for the next request, and its limits decided
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=2;
    }
--- pipelined_requests eval
["GET /t.txt?k=pipe", "GET /t.txt?k=pipe", "GET /t.txt?k=pipe",
 "GET /other.txt"]
--- error_code eval
[200, 200, 429, 200]
--- response_body eval
["hello\n", "hello\n", main::problem('calls'), "other\n"]



=== TEST 21: higher rates, their numbers
--- config
    location = /t.txt {
        gw_ratelimit  a key=$arg_k rate=5r/s burst=10;
        gw_ratelimit  b key=$arg_k rate=1000r/s burst=2000;
        gw_ratelimit  c key=$arg_k rate=10r/m;
        gw_ratelimit  d key=$arg_k rate=3r/s;
    }
--- request
GET /t.txt?k=higher
--- response_headers
RateLimit-Policy: "a";q=10;w=2, "b";q=2000;w=2, "c";q=1;w=6, "d";q=3;w=2
RateLimit: "a";r=9;t=1, "b";r=1999;t=1, "c";r=0;t=6, "d";r=2;t=1



=== TEST 22: a tier that got other numbers cuts the debt of the old ones
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1000000r/s burst=5;
    }
--- redis_init
SET gw:{upgraded}:calls 9000000000000000
--- request eval
["GET /t.txt?k=upgraded", "GET /t.txt?k=upgraded"]
--- error_code eval
[429, 200]
--- response_headers eval
["Retry-After: 1", "! Retry-After"]
