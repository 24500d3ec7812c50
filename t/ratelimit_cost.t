# Copyright (C) The nginx gateway modules authors

# What a request costs: cost=, a text with variables.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwRatelimit;


our $bad = '{"type":"about:blank","title":"Bad Request","status":400,'
           . '"detail":"The cost of the request is not a number",'
           . '"request_id":"ID"}' . "\n";

show('X-Status' => '$gw_ratelimit_status',
     'X-Limits' => '$gw_ratelimit_limits');

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value('config', <<'END') if !defined $block->config;
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=10 cost=$arg_c;
    }
END

    $block->set_value('response_body_filters', sub {
        return shift =~ s/("request_id":")[0-9a-f]{32}"/$1ID"/r;
    });

    $block->set_value('request', 'GET /other.txt')
        if !defined $block->request;
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: some tokens, none, and one if nothing is said
--- request eval
["GET /t.txt?k=some&c=3", "GET /t.txt?k=some&c=0", "GET /t.txt?k=some&c=",
 "GET /t.txt?k=some", "GET /t.txt?k=some&c=0004", "GET /t.txt?k=some&c=2",
 "GET /t.txt?k=some&c=1", "GET /t.txt?k=some&c=0"]
--- error_code eval
[200, 200, 200, 200, 200, 429, 200, 200]
--- response_headers_like eval
['RateLimit: "calls";r=7;t=86400', 'RateLimit: "calls";r=7;t=\d+',
 'RateLimit: "calls";r=6;t=\d+', 'RateLimit: "calls";r=5;t=\d+',
 'RateLimit: "calls";r=1;t=\d+', 'RateLimit: "calls";r=1;t=\d+',
 'RateLimit: "calls";r=0;t=\d+', 'RateLimit: "calls";r=0;t=\d+']



=== TEST 2: a look at a bucket leaves nothing in Redis
--- request eval
["GET /t.txt?k=look&c=0", "GET /t.txt?k=look&c=0"]
--- response_headers eval
['RateLimit: "calls";r=10;t=0', 'RateLimit: "calls";r=10;t=0']
--- redis
EXISTS gw:{look}:calls => 0



=== TEST 3: what is no number
--- init
for my $cost (qw(x 1x x1 -1 +1 1.5 1.0 1e3 0x10 %201 1%20 1%0a - . Infinity
                 1000000001 9223372036854775807 9223372036854775808 NaN
                 18446744073709551617 99999999999999999999999), '1,5')
{
    is(says("/t.txt?k=bad&c=$cost"), '400 bad_cost', "cost $cost");
}
--- request
GET /t.txt?k=bad&c=one
--- error_code: 400
--- response_body eval
$main::bad
--- response_headers
Content-Type: application/problem+json
! RateLimit
! RateLimit-Policy
! Retry-After
--- no_error_log
[error]
[warn]
--- log_lines
23 \[info\] .* gw ratelimit: invalid cost
--- redis
KEYS gw:{bad}:* =>



=== TEST 4: more than a bucket ever has
--- request eval
["GET /t.txt?k=never&c=11", "GET /t.txt?k=never&c=1000000000",
 "GET /t.txt?k=never&c=10", "GET /t.txt?k=never&c=11"]
--- error_code eval
[429, 429, 200, 429]
--- response_body_like eval
['"type":"https://iana.org/assignments/http-problem-types#quota-exceeded".*'
 . '"detail":"The request costs more than a policy ever allows".*'
 . '"violated-policies":\["calls"\]', '', 'hello', 'more than a policy ever']
--- response_headers eval
["X-Status: impossible
! Retry-After
Content-Type: application/problem+json",
"X-Status: impossible
! Retry-After",
"X-Status: passed",
"X-Status: impossible
! Retry-After"]



=== TEST 5: the largest number
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1000000r/s burst=1000000000
                      cost=1000000000;
    }
--- request eval
["GET /t.txt?k=largest", "GET /t.txt?k=largest"]
--- error_code eval
[200, 429]
--- response_headers_like eval
['X-Status: passed', 'Retry-After: (1000|9\d\d)']



=== TEST 6: Retry-After is for as many tokens; who asks for fewer is let in
--- request eval
["GET /t.txt?k=many&c=8", "GET /t.txt?k=many&c=5", "GET /t.txt?k=many&c=6",
 "GET /t.txt?k=many&c=3", "GET /t.txt?k=many&c=2", "GET /t.txt?k=many&c=3"]
--- error_code eval
[200, 429, 429, 429, 200, 429]
--- response_headers_like eval
['RateLimit: "calls";r=2;t=86400',
'RateLimit: "calls";r=2;t=2592\d\d|2591\d\d
Retry-After: 2592\d\d|2591\d\d',
'Retry-After: 34560[01]|345[45]\d\d',
'Retry-After: 86[34]\d\d',
'RateLimit: "calls";r=0;t=\d+',
'Retry-After: 259[12]\d\d']



=== TEST 7: a map of operations, with costs of its own
--- http_config
    map $arg_op $cost {
        default  1;
        export   5;
        list     0;
        broken   "";
    }
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=10 cost=$cost;
    }
--- request eval
["GET /t.txt?k=map&op=export", "GET /t.txt?k=map&op=list",
 "GET /t.txt?k=map&op=else", "GET /t.txt?k=map&op=broken"]
--- response_headers_like eval
['RateLimit: "calls";r=5;t=86400', 'RateLimit: "calls";r=5;t=\d+',
 'RateLimit: "calls";r=4;t=\d+', 'RateLimit: "calls";r=3;t=\d+']



=== TEST 8: each limit has its own
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=10;
        gw_ratelimit  bytes key=$arg_k rate=1r/d burst=1000 cost=$arg_c;
        gw_ratelimit  twice key=$arg_k rate=1r/d burst=100 cost=${arg_c}0;
    }
--- request eval
["GET /t.txt?k=own&c=5", "GET /t.txt?k=own&c=6", "GET /t.txt?k=own&c=11",
 "GET /t.txt?k=own&c=1"]
--- error_code eval
[200, 429, 429, 200]
--- response_headers_like eval
['RateLimit: "calls";r=9;t=\d+, "bytes";r=995;t=\d+, "twice";r=50;t=\d+',
 'RateLimit: "calls";r=9;t=\d+, "bytes";r=995;t=\d+, "twice";r=50;t=\d+
X-Limits: twice=limited',
 'X-Limits: twice=impossible',
 'RateLimit: "calls";r=8;t=\d+, "bytes";r=994;t=\d+, "twice";r=40;t=\d+']



=== TEST 9: a bad one: the other limits take nothing
--- config
    location = /t.txt {
        gw_ratelimit  first key=$arg_k rate=1r/d burst=10;
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=10 cost=$arg_c;
        gw_ratelimit  last key=$arg_k rate=1r/d burst=10;
    }
--- request
GET /t.txt?k=nothing&c=x
--- error_code: 400
--- redis
KEYS gw:{nothing}:* =>



=== TEST 10: it is not looked at where the key is empty
--- request
GET /t.txt?c=x
--- response_headers
X-Status: skipped



=== TEST 11: a share of 0 of a bucket that is empty
--- request eval
["GET /t.txt?k=empty&c=10", "GET /t.txt?k=empty&c=0", "GET /t.txt?k=empty&c=1",
 "GET /t.txt?k=empty&c=0"]
--- error_code eval
[200, 200, 429, 200]



=== TEST 12: what never can pass needs no Redis, and no policy without it
--- http_config
    gw_ratelimit_redis  redis://127.0.0.1:1;
--- request eval
["GET /t.txt?k=down&c=11", "GET /t.txt?k=down&c=10"]
--- error_code eval
[429, 200]
--- response_headers eval
["X-Status: impossible", "X-Status: unchecked"]
--- no_error_log
[alert]
