# Copyright (C) The nginx gateway modules authors

# dry_run: a limit is tried out.  It counts and says what it would do, to the
# log, and never refuses.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwRatelimit;


show('X-Status' => '$gw_ratelimit_status',
     'X-Limit' => '$gw_ratelimit_limit',
     'X-Limits' => '$gw_ratelimit_limits',
     'X-Remaining' => '$gw_ratelimit_remaining');

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('no_error_log', "[error]\n[alert]\n[crit]\n[warn]")
        if ($block->http_config // '') !~ /_redis/;
});

same_day();
no_shuffle();
run_tests();

__DATA__

=== TEST 1: it counts, and lets all in; the client is told nothing
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=2 dry_run;
    }
--- request eval
[("GET /t.txt?k=all") x 5]
--- response_headers eval
[("X-Status: passed
X-Limits: calls=passed
! X-Limit
! X-Remaining
! RateLimit
! RateLimit-Policy") x 2,
("X-Status: dry_run
X-Limits: calls=dry_run
X-Limit: calls
! X-Remaining
! RateLimit
! RateLimit-Policy
! Retry-After") x 3]
--- log_lines
0 limited by



=== TEST 2: beside one that refuses: they have nothing to do with each other
--- config
    location = /t.txt {
        gw_ratelimit  dry key=$arg_k rate=1r/d burst=1 dry_run;
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=3;
    }
--- request eval
[("GET /t.txt?k=beside") x 5]
--- error_code eval
[200, 200, 200, 429, 429]
--- response_headers_like eval
['X-Status: passed
X-Limits: dry=passed calls=passed
RateLimit: "calls";r=2;t=86400
RateLimit-Policy: "calls";q=3;w=259200
X-Remaining: 2',
'X-Status: dry_run
X-Limits: dry=dry_run calls=passed
X-Limit: dry
RateLimit: "calls";r=1;t=\d+',
'X-Status: dry_run
X-Limits: dry=dry_run calls=passed
RateLimit: "calls";r=0;t=\d+',
'X-Status: limited
X-Limits: dry=dry_run calls=limited
RateLimit: "calls";r=0;t=\d+',
'X-Status: limited
X-Limits: dry=dry_run calls=(remembered|limited)
Retry-After: \d+']
--- response_body_like eval
["hello", "hello", "hello", ('"violated-policies":\["calls"\]') x 2]



=== TEST 3: the other refuses: the dry one takes nothing
--- config
    location = /t.txt {
        gw_ratelimit  dry key=$arg_k rate=1r/d burst=9 dry_run;
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
    }

    location = /other.txt {
        gw_ratelimit  dry key=$arg_k rate=1r/d burst=9;
    }
--- request eval
["GET /t.txt?k=takes", "GET /t.txt?k=takes", "GET /t.txt?k=takes",
 "GET /other.txt?k=takes"]
--- error_code eval
[200, 429, 429, 200]
--- response_headers_like eval
['', '', '', 'RateLimit: "dry";r=7;t=\d+']



=== TEST 4: what it would refuse takes nothing, nor does it of its quotas
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=9 quota=1/month dry_run;
    }
--- init
is(says('/t.txt?k=quota'), '200 passed', 'passed');
my @before = map { redis('GET', "gw:{quota}:calls$_") } '', '/month';
my $response = http('/t.txt?k=quota');
is(header($response, 'X-Status'), 'dry_run', 'it would be refused');
is(header($response, 'X-Limit'), 'calls-month', 'by the quota');
is(says('/t.txt?k=quota'), '200 dry_run', 'from memory');
my @after = map { redis('GET', "gw:{quota}:calls$_") } '', '/month';
is("@after", "@before", 'the same');
--- request
GET /t.txt?k=quota
--- response_headers
X-Status: dry_run



=== TEST 5: an empty key, a cost that is none, a tier that nobody knows
--- http_config
    gw_ratelimit_tier  free rate=1r/d burst=9;
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k tier=$arg_t cost=$arg_c empty=deny
                      dry_run;
    }
--- request eval
["GET /t.txt", "GET /t.txt?k=bad&t=free&c=x", "GET /t.txt?k=bad&t=none",
 "GET /t.txt?k=bad", "GET /t.txt?k=bad&t=free&c=10",
 "GET /t.txt?k=bad&t=free&c=9"]
--- response_body eval
[("hello\n") x 6]
--- response_headers eval
[("X-Status: dry_run
! X-Limits") x 4,
"X-Status: dry_run
X-Limits: calls=dry_run",
"X-Status: passed
X-Limits: calls=passed"]



=== TEST 6: the same beside a limit that lets in: it would have been refused
--- http_config
    gw_ratelimit_tier  free rate=1r/d burst=9;
--- config
    location = /t.txt {
        gw_ratelimit  dry key=$arg_d tier=$arg_t cost=$arg_c empty=deny
                      dry_run;
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=9;
    }
--- request eval
["GET /t.txt?k=so&t=free", "GET /t.txt?k=so&d=so&t=free&c=x",
 "GET /t.txt?k=so&d=so&t=none"]
--- response_headers eval
[("X-Status: dry_run
X-Limits: calls=passed") x 3]



=== TEST 7: before access is checked
--- config
    location = /t.txt {
        gw_ratelimit  early key=$arg_k rate=1r/d burst=1 preauth dry_run;
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=9;
    }
--- request eval
[("GET /t.txt?k=early") x 3]
--- response_headers eval
["X-Status: passed
X-Limits: early=passed calls=passed",
("X-Status: dry_run
X-Limit: early
X-Limits: early=dry_run calls=passed") x 2]



=== TEST 8: it is off in one location: the bucket is shared
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=2 dry_run;
    }

    location = /other.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=2;
    }
--- request eval
["GET /t.txt?k=off", "GET /t.txt?k=off", "GET /t.txt?k=off",
 "GET /other.txt?k=off", "GET /t.txt?k=off"]
--- error_code eval
[200, 200, 200, 429, 200]
--- response_headers eval
["X-Status: passed", "X-Status: passed", "X-Status: dry_run",
 "X-Status: limited", "X-Status: dry_run"]



=== TEST 9: Redis is away, whatever error= says
--- http_config
    gw_ratelimit_redis  redis://127.0.0.1:1;
--- config
    location = /allow {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1 dry_run;
        alias         html/t.txt;
    }

    location = /deny {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1 error=deny dry_run;
        alias         html/t.txt;
    }

    location = /local {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1 error=local dry_run;
        alias         html/t.txt;
    }
--- request eval
["GET /allow?k=down", "GET /deny?k=down", "GET /local?k=down",
 "GET /local?k=down"]
--- response_body eval
[("hello\n") x 4]
--- response_headers eval
["X-Status: unchecked
X-Limits: calls=unchecked", "X-Status: unchecked
X-Limits: calls=unchecked", "X-Status: local
X-Limits: calls=local", "X-Status: dry_run
X-Limits: calls=dry_run"]
--- no_error_log
[alert]



=== TEST 10: no problem, no error page
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$http_x_key rate=1r/d burst=1 dry_run;
        error_page    429 /other.txt;
    }
--- request eval
["GET /t.txt", "GET /t.txt"]
--- more_headers
X-Key: page
--- response_body eval
["hello\n", "hello\n"]
