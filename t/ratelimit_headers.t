# Copyright (C) The nginx gateway modules authors

# What the client of gw_ratelimit gets: header fields of both kinds, with
# buckets, quotas, costs and bans, and the problems.

use strict;
use warnings;

use POSIX ();
use Test::Nginx::Socket 'no_plan';
use GwRatelimit;


show('X-Status' => '$gw_ratelimit_status');


my $types = 'https://iana.org/assignments/http-problem-types';

same_day();

# seconds of this month, in UTC

our $month = do {
    my (undef, undef, undef, undef, $m, $y) = gmtime;

    86400 * (POSIX::strftime('%d', 0, 0, 0, 0, $m + 1, $y));
};


# the body of a refusal, with the id of the request taken out of it

our %details = (
    limited => 'The quota of a policy has been exceeded',
    impossible => 'The request costs more than a policy ever allows',
    banned => 'Too many requests were refused, '
              . 'the caller is refused for a while',
);

sub problem {
    my ($status, @names) = @_;

    my $type = $status eq 'banned' ? '#abnormal-usage-detected'
                                   : '#quota-exceeded';
    my $names = join ',', map { "\"$_\"" } @names;

    return "{\"type\":\"$types$type\",\"title\":\"Too Many Requests\","
           . "\"status\":429,\"detail\":\"$details{$status}\","
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

=== TEST 1: a bucket and its quotas
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=2
                      quota=10/day quota=100/month;
    }
--- request eval
["GET /t.txt?k=quotas", "GET /t.txt?k=quotas"]
--- response_headers_like eval
['RateLimit-Policy: "calls";q=2;w=172800, "calls-day";q=10;w=86400, '
 . '"calls-month";q=100;w=' . $main::month . '
RateLimit: "calls";r=1;t=86400, "calls-day";r=9;t=\d{1,5}, '
 . '"calls-month";r=99;t=\d{1,7}
Retry-After:',
'RateLimit: "calls";r=0;t=86\d\d\d, "calls-day";r=8;t=\d{1,5}, '
 . '"calls-month";r=98;t=\d{1,7}']



=== TEST 2: a quota refuses, until its window ends
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1000r/s burst=1000
                      quota=1/day quota=9/month;
    }
--- request eval
["GET /t.txt?k=day", "GET /t.txt?k=day"]
--- error_code eval
[200, 429]
--- response_body eval
["hello\n", main::problem('limited', 'calls-day')]
--- raw_response_headers_like eval
['X-Status: passed',
 '"calls";r=(?:999|1000);t=[01], "calls-day";r=0;t=(\d+), '
 . '"calls-month";r=8;t=\d+\r\n(?s:.*)Retry-After: \1\r']
--- log_lines
1 \[info\] .* gw ratelimit: limited by "calls-day", tier ""



=== TEST 3: several refuse, the longest wait counts
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1 quota=1/month;
        gw_ratelimit  other key=$arg_k rate=1r/d burst=40 quota=2/day;
        gw_ratelimit  last key=$arg_k rate=1r/h burst=1;
    }
--- request eval
["GET /t.txt?k=both", "GET /t.txt?k=both"]
--- error_code eval
[200, 429]
--- response_body eval
["hello\n", main::problem('limited', 'calls', 'calls-month', 'last')]
--- raw_response_headers_like eval
['"other";r=39;t=86400, "other-day";r=1;t=\d+, "last";r=0;t=3600\r',
 '"calls";r=0;t=86\d\d\d, "calls-month";r=0;t=(\d+), "other";r=39;t=\d+, '
 . '"other-day";r=1;t=\d+, "last";r=0;t=3(?:60[01]|5\d\d)\r\n'
 . '(?s:.*)Retry-After: (?:86\d\d\d|\1)\r']



=== TEST 4: X-RateLimit
--- config
    gw_ratelimit_headers  x-ratelimit;

    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=3;
        gw_ratelimit  team key=$arg_k rate=1r/h burst=2;
    }
--- request eval
[("GET /t.txt?k=x") x 3]
--- error_code eval
[200, 200, 429]
--- response_headers_like eval
['X-RateLimit-Limit: 2
X-RateLimit-Remaining: 1
X-RateLimit-Reset: 3600
RateLimit:
RateLimit-Policy:',
'X-RateLimit-Limit: 2
X-RateLimit-Remaining: 0
X-RateLimit-Reset: 7[12]\d\d',
'X-RateLimit-Limit: 2
X-RateLimit-Remaining: 0
X-RateLimit-Reset: 7[12]\d\d
Retry-After: 3\d\d\d
RateLimit:
RateLimit-Policy:']



=== TEST 5: of several limits, the one that refuses goes before the emptiest
--- config
    gw_ratelimit_headers  both;

    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=7 cost=4;
        gw_ratelimit  empty key=$arg_k rate=1r/d burst=2;
    }
--- request eval
["GET /t.txt?k=tight", "GET /t.txt?k=tight"]
--- error_code eval
[200, 429]
--- response_headers_like eval
['X-RateLimit-Limit: 2
X-RateLimit-Remaining: 1
RateLimit: "calls";r=3;t=86400, "empty";r=1;t=86400',
'X-RateLimit-Limit: 7
X-RateLimit-Remaining: 3
X-RateLimit-Reset: 345[56]\d\d
RateLimit-Policy: "calls";q=7;w=604800, "empty";q=2;w=172800
RateLimit: "calls";r=3;t=86\d\d\d, "empty";r=1;t=86\d\d\d
Retry-After: 86\d\d\d']



=== TEST 6: a quota in X-RateLimit
--- config
    gw_ratelimit_headers  x-ratelimit;

    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1000r/s burst=1000 quota=5/day;
    }
--- request
GET /t.txt?k=xquota
--- response_headers_like
X-RateLimit-Limit: 5
X-RateLimit-Remaining: 4
X-RateLimit-Reset: \d{1,5}



=== TEST 7: no fields at all, but when to come again
--- config
    gw_ratelimit_headers  off;

    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
    }
--- request eval
["GET /t.txt?k=off", "GET /t.txt?k=off"]
--- error_code eval
[200, 429]
--- response_headers_like eval
['RateLimit:
RateLimit-Policy:
X-RateLimit-Limit:
Retry-After:',
'RateLimit:
RateLimit-Policy:
X-RateLimit-Limit:
Retry-After: 86\d\d\d']



=== TEST 8: the location that decides last says which fields there are
--- config
    gw_ratelimit_headers  both;

    location = /x {
        gw_ratelimit  calls key=redirect rate=1r/d burst=3;
        try_files     /none /x.txt;
    }

    location = /x.txt {
        gw_ratelimit          more key=redirect rate=1r/h burst=2;
        gw_ratelimit_headers  x-ratelimit;
        try_files             /none /t.txt;
    }

    location = /ietf {
        gw_ratelimit  calls key=redirect rate=1r/d burst=3;
        try_files     /none /ietf.txt;
    }

    location = /ietf.txt {
        gw_ratelimit          more key=redirect rate=1r/h burst=2;
        gw_ratelimit_headers  ietf;
        try_files             /none /t.txt;
    }
--- request eval
["GET /x", "GET /ietf"]
--- response_body eval
["hello\n", "hello\n"]
--- response_headers_like eval
['X-RateLimit-Limit: 2
X-RateLimit-Remaining: 1
RateLimit:
RateLimit-Policy:',
'X-RateLimit-Limit:
X-RateLimit-Remaining:
X-RateLimit-Reset:
RateLimit: "calls";r=1;t=86\d\d\d, "more";r=0;t=3\d\d\d']
--- raw_response_headers_unlike eval
[qr/^RateLimit/m, qr/^X-RateLimit/m]



=== TEST 9: a request that costs more than there ever is
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=5 quota=3/day
                      cost=$arg_c;
    }
--- request eval
["GET /t.txt?k=never&c=6", "GET /t.txt?k=never&c=4", "GET /t.txt?k=never&c=3"]
--- error_code eval
[429, 429, 200]
--- response_body eval
[main::problem('impossible', 'calls', 'calls-day'),
 main::problem('impossible', 'calls-day'), "hello\n"]
--- response_headers_like eval
['Retry-After:
RateLimit:
X-Status: impossible',
'Retry-After:
X-Status: impossible',
'Retry-After:
RateLimit: "calls";r=2;t=86400, "calls-day";r=0;t=\d+']
--- log_lines
2 gw ratelimit: costs more than there ever is in "calls-day", tier ""
1 gw ratelimit: costs more than there ever is in "calls", tier ""



=== TEST 10: together with a limit that only has to be waited for
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
        gw_ratelimit  units key=$arg_k rate=1r/d burst=2 cost=$arg_c;
    }
--- request eval
["GET /t.txt?k=mixed", "GET /t.txt?k=mixed&c=3"]
--- error_code eval
[200, 429]
--- response_body eval
["hello\n", main::problem('impossible', 'units')]
--- response_headers eval
["! Retry-After", "! Retry-After"]



=== TEST 11: a cost of 0 looks, and passes with nothing left
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=2 cost=$arg_c;
    }
--- request eval
["GET /t.txt?k=look&c=0", "GET /t.txt?k=look&c=2", "GET /t.txt?k=look&c=0"]
--- error_code eval
[200, 200, 200]
--- response_headers_like eval
['RateLimit: "calls";r=2;t=0', 'RateLimit: "calls";r=0;t=86400',
 'RateLimit: "calls";r=0;t=86\d\d\d']



=== TEST 12: a cost that is no number, and a key that must not be empty
--- config
    location = /cost.txt {
        gw_ratelimit  calls key=number rate=1r/d burst=2 cost=$arg_c;
        rewrite       ^ /t.txt break;
    }

    location = /key.txt {
        gw_ratelimit  keys key=$arg_k rate=1r/d burst=2 empty=deny;
        rewrite       ^ /t.txt break;
    }
--- request eval
["GET /cost.txt?c=ten", "GET /cost.txt?c=-1", "GET /cost.txt?c=1000000001",
 "GET /cost.txt?c=", "GET /key.txt", "GET /key.txt?k=given"]
--- error_code eval
[400, 400, 400, 200, 403, 200]
--- response_body eval
[('{"type":"about:blank","title":"Bad Request","status":400,'
  . '"detail":"The cost of the request is not a number",'
  . '"request_id":"ID"}' . "\n") x 3, "hello\n",
 '{"type":"about:blank","title":"Forbidden","status":403,'
 . '"detail":"The caller is not known","request_id":"ID"}' . "\n",
 "hello\n"]
--- response_headers_like eval
[('X-Status: bad_cost
RateLimit:
Retry-After:
Content-Type: application/problem\+json') x 3, 'X-Status: passed',
'X-Status: no_key
RateLimit:
Content-Type: application/problem\+json', 'X-Status: passed']
--- redis
KEYS gw:{number}:* => gw:\{number\}:calls



=== TEST 13: a ban
--- config
    location = /t.txt {
        gw_ratelimit  login key=$arg_k rate=1r/m burst=1 ban=10m after=2;
    }
--- request eval
[("GET /t.txt?k=ban") x 4]
--- error_code eval
[200, 429, 429, 429]
--- response_body eval
["hello\n", main::problem('limited', 'login'),
 (main::problem('banned', 'login')) x 2]
--- response_headers_like eval
['X-Status: passed', 'X-Status: limited
Retry-After: (60|[1-5]\d)',
('X-Status: banned
RateLimit-Policy: "login";q=1;w=60
RateLimit: "login";r=0;t=(60[01]|5\d\d)
Retry-After: (60[01]|5\d\d)') x 2]
--- log_lines
1 gw ratelimit: limited by "login", tier ""
2 gw ratelimit: banned by "login", tier ""
--- redis
GET gw:{ban}:login/ban => -1



=== TEST 14: a ban by hand, with tokens in the bucket
--- config
    location = /t.txt {
        gw_ratelimit  login key=$arg_k rate=1r/d burst=5 ban=10m after=2;
    }
--- redis_init
SET gw:{hand}:login/ban -1 PX 300000
--- request
GET /t.txt?k=hand
--- error_code: 429
--- response_body eval
main::problem('banned', 'login')
--- response_headers_like
X-Status: banned
RateLimit: "login";r=0;t=(300|2\d\d)
Retry-After: (300|2\d\d)



=== TEST 15: a refusal from memory
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=2;
    }
--- request eval
[("GET /t.txt?k=memory") x 4]
--- error_code eval
[200, 200, 429, 429]
--- response_body eval
["hello\n", "hello\n", (main::problem('limited', 'calls')) x 2]
--- response_headers_like eval
['', '', ('X-Status: limited
RateLimit-Policy: "calls";q=2;w=172800
RateLimit: "calls";r=0;t=86\d\d\d
Retry-After: 86\d\d\d') x 2]



=== TEST 16: a dry run shows nothing and refuses nobody
--- config
    gw_ratelimit_headers  both;

    location = /t.txt {
        gw_ratelimit  new key=$arg_k rate=1r/d burst=1 dry_run;
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=9;
    }
--- request eval
[("GET /t.txt?k=dry") x 3]
--- response_headers_like eval
['X-Status: passed
RateLimit: "calls";r=8;t=86400
X-RateLimit-Limit: 9',
'X-Status: dry_run
RateLimit: "calls";r=7;t=\d+
X-RateLimit-Limit: 9
Retry-After:',
'X-Status: dry_run
RateLimit: "calls";r=6;t=\d+']
--- no_error_log
[error]
limited by



=== TEST 17: Redis is away: 503 with error=deny, and no numbers
--- http_config
    gw_ratelimit_redis  redis://127.0.0.1:1;
--- config
    gw_ratelimit_headers  both;

    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1 error=deny;
    }

    location = /other.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1 error=allow;
    }
--- request eval
["GET /t.txt?k=away", "GET /other.txt?k=away"]
--- error_code eval
[503, 200]
--- response_body eval
['{"type":"https://iana.org/assignments/http-problem-types'
 . '#temporary-reduced-capacity","title":"Service Unavailable","status":503,'
 . '"detail":"The rate limit could not be checked","request_id":"ID"}' . "\n",
 "other\n"]
--- response_headers_like eval
['X-Status: unavailable
Retry-After: 1
RateLimit:
RateLimit-Policy:
X-RateLimit-Limit:
X-RateLimit-Remaining:
X-RateLimit-Reset:',
'X-Status: unchecked
Retry-After:
RateLimit:
X-RateLimit-Limit:']
--- error_log
gw ratelimit: refused without Redis



=== TEST 18: numbers near the bounds
--- config
    location = /t.txt {
        gw_ratelimit  slow key=$arg_k rate=1r/d burst=26000;
        gw_ratelimit  fast key=$arg_k rate=1000000r/s burst=2000000000000000
                      quota=68719476735/month;
    }
--- request
GET /t.txt?k=bounds
--- response_headers_like eval
'RateLimit-Policy: "slow";q=26000;w=2246400000, '
. '"fast";q=999999999999999;w=2000000000, '
. '"fast-month";q=68719476735;w=' . $main::month . '
RateLimit: "slow";r=25999;t=86400, "fast";r=999999999999999;t=[01], '
. '"fast-month";r=68719476734;t=\d+'



=== TEST 19: a refusal with a tier, its name in the log
--- http_config
    gw_ratelimit_tier  free rate=1000r/s burst=1000 quota=1/month;
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k tier=free;
    }
--- request eval
["GET /t.txt?k=tier", "GET /t.txt?k=tier"]
--- error_code eval
[200, 429]
--- response_body eval
["hello\n", main::problem('limited', 'calls-month')]
--- log_lines
1 gw ratelimit: limited by "calls-month", tier "free"



=== TEST 20: a refusal from memory tells when the bucket will be full, too
--- config
    gw_ratelimit_headers  both;

    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/h burst=5 cost=$arg_c;
    }
--- init
is(answers(1, '/t.txt?k=full&c=4'), '200 passed', 'four of five');
is(answers(1, '/t.txt?k=full&c=2'), '429 limited', 'and not two more');
--- request eval
["GET /t.txt?k=full&c=2", "GET /t.txt?k=full&c=4"]
--- error_code eval
[429, 429]
--- response_headers_like eval
['X-RateLimit-Limit: 5
X-RateLimit-Remaining: 0
X-RateLimit-Reset: 14(?:40\d|3\d\d)
RateLimit: "calls";r=0;t=3(?:60\d|5\d\d)
Retry-After: 3(?:60\d|5\d\d)',
'X-RateLimit-Reset: 14(?:40\d|3\d\d)
RateLimit: "calls";r=0;t=10(?:80\d|7\d\d)
Retry-After: 10(?:80\d|7\d\d)']
