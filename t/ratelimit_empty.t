# Copyright (C) The nginx gateway modules authors

# What becomes of requests whose key is empty: empty=skip, empty=deny.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwRatelimit;


our $problem = '{"type":"about:blank","title":"Forbidden","status":403,'
               . '"detail":"The caller is not known","request_id":"ID"}'
               . "\n";

show('X-Status' => '$gw_ratelimit_status',
     'X-Limits' => '$gw_ratelimit_limits');

add_block_preprocessor(sub {
    shift->set_value('response_body_filters', sub {
        return shift =~ s/("request_id":")[0-9a-f]{32}"/$1ID"/r;
    });
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: they pass, unless it is said otherwise
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
    }

    location = /other.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1 empty=skip;
    }
--- request eval
["GET /t.txt", "GET /other.txt?k=", "GET /t.txt", "GET /other.txt?k=skip"]
--- response_headers eval
["X-Status: skipped
! X-Limits
! RateLimit", "X-Status: skipped
! RateLimit", "X-Status: skipped", "X-Status: passed
X-Limits: calls=passed"]
--- redis
KEYS gw:* => gw:\{skip\}:calls



=== TEST 2: they are refused
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=2 empty=deny;
    }
--- request eval
["GET /t.txt", "GET /t.txt?k=", "GET /t.txt?k=deny", "GET /t.txt?k=0"]
--- error_code eval
[403, 403, 200, 200]
--- response_body eval
[$main::problem, $main::problem, "hello\n", "hello\n"]
--- response_headers eval
["X-Status: no_key
Content-Type: application/problem+json
! Retry-After
! RateLimit
! RateLimit-Policy", "X-Status: no_key", "X-Status: passed",
"X-Status: passed"]
--- no_error_log
[error]
[warn]
--- log_lines
2 \[info\] .* gw ratelimit: empty key



=== TEST 3: a key made of several variables is empty if all of them are
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k$arg_j rate=1r/d burst=2 empty=deny;
    }

    location = /other.txt {
        gw_ratelimit  calls key=$arg_k:$arg_j rate=1r/d burst=2 empty=deny;
    }
--- request eval
["GET /t.txt", "GET /t.txt?j=one", "GET /other.txt"]
--- error_code eval
[403, 200, 200]



=== TEST 4: nothing is taken of the other limits, before and after it
--- config
    location = /t.txt {
        gw_ratelimit  first key=$arg_j rate=1r/d burst=2;
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=2 empty=deny;
        gw_ratelimit  last key=$arg_j rate=1r/d burst=2;
    }
--- request eval
["GET /t.txt?j=others", "GET /t.txt?j=others&k=others"]
--- error_code eval
[403, 200]
--- response_headers_like eval
['X-Limits:', 'RateLimit: "first";r=1;t=\d+, "calls";r=1;t=\d+, "last";r=1;.*']



=== TEST 5: a limit that is skipped, and one that refuses
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
        gw_ratelimit  team key=$arg_j rate=1r/d burst=1;
    }
--- request eval
["GET /t.txt?j=beside", "GET /t.txt?j=beside"]
--- error_code eval
[200, 429]
--- response_headers eval
["X-Limits: team=passed", "X-Limits: team=limited"]



=== TEST 6: before access is checked
--- config
    location = /t.txt {
        deny          all;
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=2 empty=deny preauth;
    }

    location = /other.txt {
        deny          all;
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=2 empty=deny;
    }
--- request eval
["GET /t.txt", "GET /t.txt?k=preauth", "GET /other.txt"]
--- error_code eval
[403, 403, 403]
--- response_headers eval
["X-Status: no_key", "X-Status: passed", "! X-Status"]
--- no_error_log
[crit]
--- log_lines
2 access forbidden by rule



=== TEST 7: an error page for them
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=2 empty=deny;
        error_page    403 =401 /other.txt;
    }
--- request
GET /t.txt
--- error_code: 401
--- response_body
other
--- response_headers
X-Status: no_key
Content-Type: text/plain



=== TEST 8: Redis is not asked
--- http_config
    gw_ratelimit_redis  redis://127.0.0.1:1;
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=2 empty=deny;
    }

    location = /other.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=2 error=deny;
    }
--- request eval
["GET /t.txt", "GET /other.txt", "GET /other.txt?k=down"]
--- error_code eval
[403, 200, 503]
--- response_headers eval
["X-Status: no_key", "X-Status: skipped", "X-Status: unavailable"]
--- no_error_log
[alert]
