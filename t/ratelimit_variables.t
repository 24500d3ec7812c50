# Copyright (C) The nginx gateway modules authors

# The variables of gw_ratelimit, for logs.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwRatelimit;


show('X-Status' => '$gw_ratelimit_status',
     'X-Limit' => '[$gw_ratelimit_limit]',
     'X-Limits' => '[$gw_ratelimit_limits]',
     'X-Numbers' => '$gw_ratelimit_remaining/$gw_ratelimit_reset');

same_day();

# "PATH X-LIMITS": what a request gets in the end

add_test_cleanup_handler(sub {
    my $block = shift;

    return if !defined $block->finally;

    my ($path, $limits) = split ' ', $block->finally;

    Test::More::ok(wait_for(sub {
        return header(http($path), 'X-Limits') eq $limits;
    }, $limits), $block->name . " - finally - $limits");
});

no_shuffle();
run_tests();

__DATA__

=== TEST 1: a limit passes, refuses, and refuses from memory
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
    }
--- request eval
[("GET /t.txt?k=one") x 3]
--- error_code eval
[200, 429, 429]
--- response_headers_like eval
['X-Status: passed
X-Limit: \[\]
X-Limits: \[calls=passed\]
X-Numbers: 0/86400',
'X-Status: limited
X-Limit: \[calls\]
X-Limits: \[calls=limited\]
X-Numbers: 0/86\d\d\d',
'X-Status: limited
X-Limit: \[calls\]
X-Limits: \[calls=(remembered|limited)\]
X-Numbers: 0/86\d\d\d']



=== TEST 2: several limits; those not asked for their tokens are left out
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=9;
        gw_ratelimit  team key=$arg_k rate=1r/d burst=1;
        gw_ratelimit  page key=$arg_k rate=1r/d burst=1;
    }
--- request eval
[("GET /t.txt?k=three") x 2]
--- error_code eval
[200, 429]
--- response_headers_like eval
['X-Limit: \[\]
X-Limits: \[calls=passed team=passed page=passed\]',
'X-Limit: \[team,page\]
X-Limits: \[team=limited page=limited\]']



=== TEST 3: a quota refuses, and is the tightest before
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1000r/s burst=1000
                      quota=2/day quota=9/month;
    }
--- request eval
[("GET /t.txt?k=quota") x 3]
--- error_code eval
[200, 200, 429]
--- response_headers_like eval
['X-Limit: \[\]
X-Numbers: 1/\d{1,5}', 'X-Numbers: 0/\d{1,5}',
'X-Limit: \[calls-day\]
X-Limits: \[calls=limited\]
X-Numbers: 0/\d{1,5}']



=== TEST 4: a dry run is named, and has no numbers
--- config
    location = /t.txt {
        gw_ratelimit  new key=$arg_k rate=1r/d burst=1 quota=1/month dry_run;
    }

    location = /other.txt {
        gw_ratelimit  new key=$arg_k rate=1r/d burst=1 quota=1/month dry_run;
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
    }
--- request eval
["GET /t.txt?k=dry", "GET /t.txt?k=dry", "GET /other.txt?k=dry",
 "GET /other.txt?k=dry"]
--- error_code eval
[200, 200, 200, 429]
--- response_headers_like eval
['X-Status: passed
X-Limit: \[\]
X-Limits: \[new=passed\]
X-Numbers: /',
'X-Status: dry_run
X-Limit: \[new,new-month\]
X-Limits: \[new=dry_run\]
X-Numbers: /',
'X-Status: dry_run
X-Limit: \[new.*\]
X-Limits: \[new=dry_run calls=passed\]
X-Numbers: 0/86400',
'X-Status: limited
X-Limit: \[new.*,calls\]
X-Limits: \[new=dry_run calls=limited\]']



=== TEST 5: bans, costs, keys, tiers
--- http_config
    gw_ratelimit_tier  free rate=1r/d burst=1;
--- config
    location = /ban.txt {
        gw_ratelimit  login key=$arg_k rate=1r/m burst=1 ban=10m after=1;
        rewrite       ^ /t.txt break;
    }

    location = /cost.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=2 cost=$arg_c;
        rewrite       ^ /t.txt break;
    }

    location = /key.txt {
        gw_ratelimit  skip key=$arg_none rate=1r/d burst=2;
        gw_ratelimit  keys key=$arg_k rate=1r/d burst=2 empty=deny;
        rewrite       ^ /t.txt break;
    }

    location = /tier.txt {
        gw_ratelimit  tiers key=$arg_k tier=$arg_t;
        rewrite       ^ /t.txt break;
    }

    location = /skip.txt {
        gw_ratelimit  skip key=$arg_none rate=1r/d burst=2;
        rewrite       ^ /t.txt break;
    }
--- request eval
["GET /ban.txt?k=ban", "GET /ban.txt?k=ban", "GET /cost.txt?k=cost&c=3",
 "GET /cost.txt?k=cost&c=x", "GET /key.txt", "GET /key.txt?k=key",
 "GET /tier.txt?k=tier&t=gold", "GET /skip.txt"]
--- error_code eval
[200, 429, 429, 400, 403, 200, 403, 200]
--- response_headers_like eval
['X-Status: passed',
'X-Status: banned
X-Limit: \[login\]
X-Limits: \[login=banned\]
X-Numbers: 0/(60[01]|5\d\d)',
'X-Status: impossible
X-Limit: \[calls\]
X-Limits: \[calls=impossible\]
X-Numbers: /',
'X-Status: bad_cost
X-Limit: \[\]
X-Limits: \[\]
X-Numbers: /',
'X-Status: no_key
X-Limits: \[\]',
'X-Status: passed
X-Limits: \[keys=passed\]',
'X-Status: unknown_tier
X-Limits: \[\]',
'X-Status: skipped
X-Limits: \[\]
X-Numbers: /']



=== TEST 6: without Redis
--- http_config
    gw_ratelimit_redis  redis://127.0.0.1:1;
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
    }

    location = /deny.txt {
        gw_ratelimit  calls key=$arg_k rate=1r/d burst=1;
        gw_ratelimit  strict key=$arg_k rate=1r/d burst=1 error=deny;
    }

    location = /local.txt {
        gw_ratelimit  here key=$arg_k rate=1r/d burst=1 error=local;
        rewrite       ^ /t.txt break;
    }
--- request eval
["GET /t.txt?k=away", "GET /deny.txt?k=away", "GET /local.txt?k=away",
 "GET /local.txt?k=away"]
--- error_code eval
[200, 503, 200, 429]
--- response_headers_like eval
['X-Status: unchecked
X-Limit: \[\]
X-Limits: \[calls=unchecked\]
X-Numbers: /',
'X-Status: unavailable
X-Limits: \[calls=unchecked strict=unavailable\]',
'X-Status: local
X-Limits: \[here=local\]
X-Numbers: /',
'X-Status: limited
X-Limit: \[here\]
X-Limits: \[here=local_limited\]
RateLimit:
Retry-After: 86\d\d\d']
--- error_log
gw ratelimit: decided without Redis
--- no_error_log
[alert]



=== TEST 7: both locations of an internal redirect, in the log
--- http_config
    log_format  limits '[$status $gw_ratelimit_status '
                       '"$gw_ratelimit_limit" "$gw_ratelimit_limits"]';
--- config
    access_log  $TEST_NGINX_SERVER_ROOT/logs/access.log limits;

    location = /t.txt {
        gw_ratelimit  calls key=redirect rate=1r/d burst=1;
        error_page    429 /other.txt;
    }

    location = /other.txt {
        gw_ratelimit  page key=redirect rate=1r/d burst=1;
    }
--- request eval
[("GET /t.txt") x 2]
--- error_code eval
[200, 429]
--- response_body eval
["hello\n", "other\n"]
--- access_lines
1 \[200 passed "-" "calls=passed"\]
1 \[429 limited "calls" "calls=limited page=passed"\]



=== TEST 8: nothing where there is no limit
--- http_config
    log_format  limits '[$status $gw_ratelimit_status '
                       '$gw_ratelimit_limit $gw_ratelimit_limits '
                       '$gw_ratelimit_metrics]';
--- config
    access_log  $TEST_NGINX_SERVER_ROOT/logs/access.log limits;

    location = /t.txt { }
--- request
GET /t.txt
--- access_lines
1 \[200 - - - -\]



=== TEST 9: a lease
--- config
    location = /t.txt {
        gw_ratelimit  calls key=$arg_k rate=1000r/s burst=1000 lease=50%;
    }
--- request
GET /t.txt?k=lease
--- response_headers_like
X-Limits: \[calls=(passed|leased)\]
X-Numbers: \d+/[01]
--- finally
/t.txt?k=lease [calls=leased]
