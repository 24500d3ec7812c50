# Copyright (C) The nginx gateway modules authors

# The metrics of the ratelimit module: what is on the page, and that Prometheus
# can read it.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GwMetrics;
use GwRatelimit;


our $metrics = <<'END_OF_CONFIG';
    location = /metrics {
        gw_ratelimit  off;
        gw_metrics;
    }
END_OF_CONFIG

no_shuffle();
run_tests();

__DATA__

=== TEST 1: decisions, by limit and result
--- http_config
    gw_ratelimit_tier  free rate=1r/d burst=2;
--- config eval
"
    location = /t.txt {
        gw_ratelimit  calls key=\$arg_k tier=free cost=\$arg_c;
    }

    location = /other.txt {
        gw_ratelimit  new key=\$arg_k rate=1r/d burst=1 dry_run;
        gw_ratelimit  unused key=\$arg_none rate=1r/d burst=1;
    }
$main::metrics"
--- request eval
["GET /metrics", ("GET /t.txt?k=m1") x 5, "GET /t.txt?k=never&c=3",
 ("GET /other.txt?k=m1") x 2, "GET /metrics"]
--- error_code eval
[(200) x 3, (429) x 4, (200) x 3]
--- response_body_filters eval
page_lines('gw_ratelimit_decisions_total')
--- response_body_like eval
# a refusal is remembered for two seconds, whatever the machine does then

my $line = sub {
    return "gw_ratelimit_decisions_total\\{limit=\"$_[0]\","
           . "result=\"$_[1]\"\\} $_[2]\n";
};

['\A\z', ('') x 8,
 '\A' . $line->('calls', 'passed', 2) . '(?:'
 . CORE::join('|', map {
     $line->('calls', 'limited', $_)
     . ($_ < 3 ? $line->('calls', 'remembered', 3 - $_) : '')
 } 1 .. 3)
 . ')' . $line->('calls', 'impossible', 1) . $line->('new', 'passed', 1)
 . $line->('new', 'dry_run', 1) . '\z']



=== TEST 2: every answer of Redis is in the histogram
--- config eval
"
    location = /t.txt {
        gw_ratelimit  calls key=\$arg_k rate=1r/d burst=9;
        gw_ratelimit  team key=\$arg_k rate=1r/d burst=9;
    }
$main::metrics"
--- request eval
[("GET /t.txt?k=m2") x 3, "GET /metrics"]
--- response_body_filters eval
page_lines('gw_ratelimit_decision_seconds\w*')
--- response_body_like eval
[('hello') x 3,
 '(?s)le="0\.001"\} \d.*le="1"\} .*le="\+Inf"\} 3\n.*_sum \d+(\.\d+)?\n.*'
 . '_count 3\n\z']



=== TEST 3: failures of Redis, by the cause
--- http_config
    gw_ratelimit_redis  redis://127.0.0.1:1;
--- config eval
"
    location = /t.txt {
        gw_ratelimit  calls key=\$arg_k rate=1r/d burst=9;
        gw_ratelimit  here key=\$arg_k rate=1r/d burst=1 error=local;
    }
$main::metrics"
--- request eval
[("GET /t.txt?k=m3") x 3, "GET /metrics"]
--- error_code eval
[200, 429, 429, 200]
--- response_body_filters eval
page_lines('gw_ratelimit_(?:redis_failures|decisions)_total')
--- response_body_like eval
['hello', '', '', '\A' . <<'END' . '\z']
gw_ratelimit_decisions_total\{limit="calls",result="unchecked"\} 3
gw_ratelimit_decisions_total\{limit="here",result="local"\} 1
gw_ratelimit_decisions_total\{limit="here",result="local_limited"\} 2
gw_ratelimit_redis_failures_total\{cause="error"\} 0
gw_ratelimit_redis_failures_total\{cause="timed_out"\} 0
gw_ratelimit_redis_failures_total\{cause="lost"\} [0-3]
gw_ratelimit_redis_failures_total\{cause="unavailable"\} [0-3]
gw_ratelimit_redis_failures_total\{cause="busy"\} 0
gw_ratelimit_redis_failures_total\{cause="invalid"\} 0
END
--- error_log
gw ratelimit: decided without Redis



=== TEST 4: Redis answers with an error
--- redis_init
HSET gw:{m4}:calls field 1
--- config eval
"
    location = /t.txt {
        gw_ratelimit  calls key=\$arg_k rate=1r/d burst=9;
    }
$main::metrics"
--- request eval
["GET /t.txt?k=m4", "GET /metrics"]
--- response_body_filters eval
page_lines('gw_ratelimit_redis_failures_total\{cause="error')
--- response_body_like eval
['hello', '\A' . quotemeta('gw_ratelimit_redis_failures_total{cause="error"}')
          . ' 1\n\z']
--- error_log
gw ratelimit: Redis replied



=== TEST 5: the zone
--- http_config
    gw_ratelimit_zone  small:256k;
--- config eval
"
    location = /t.txt {
        gw_ratelimit  calls key=\$arg_k rate=1r/d burst=1;
    }
$main::metrics"
--- request eval
["GET /metrics", ("GET /t.txt?k=m5") x 2, "GET /metrics"]
--- error_code eval
[200, 200, 429, 200]
--- response_body_filters eval
page_lines('gw_ratelimit_(?:zone_\w+|nodes|lease_\w+|heartbeats_total)')
--- response_body_like eval
my $page = sub {
    return '\A' . <<"END" . '\z';
gw_ratelimit_lease_refills_total 0
gw_ratelimit_lease_tokens_total\\{event="leased"\\} 0
gw_ratelimit_lease_tokens_total\\{event="returned"\\} 0
gw_ratelimit_lease_tokens_total\\{event="lost"\\} 0
gw_ratelimit_lease_tokens_held 0
gw_ratelimit_zone_records\\{table="memory"\\} $_[0]
gw_ratelimit_zone_records\\{table="leases"\\} 0
gw_ratelimit_zone_records_max\\{table="memory"\\} [1-9]\\d\\d\\d
gw_ratelimit_zone_records_max\\{table="leases"\\} [1-9]\\d+
gw_ratelimit_zone_evictions_total\\{table="memory"\\} 0
gw_ratelimit_zone_evictions_total\\{table="leases"\\} 0
gw_ratelimit_zone_resets_total 0
gw_ratelimit_nodes 0
gw_ratelimit_heartbeats_total 0
END
};

[$page->(0), '', '', $page->(1)]



=== TEST 6: tiers in Redis
--- redis_init
DEL gw:m6
HSET gw:m6 free rate=1r/d
HSET gw:m6 gold rate=9r/s
--- http_config
    gw_ratelimit_tiers  key=gw:m6 refresh=1h;
--- config eval
"
    location = /t.txt {
        gw_ratelimit  calls key=\$arg_k tier=\$arg_t;
    }
$main::metrics"
--- request eval
["GET /t.txt?k=m6&t=gold", "GET /metrics"]
--- response_body_filters eval
page_lines('gw_ratelimit_tiers\w*')
--- response_body_like eval
['hello', '\A' . <<'END' . '\z']
gw_ratelimit_tiers_read 1
gw_ratelimit_tiers_age_seconds \d+\.\d+
gw_ratelimit_tiers 2
gw_ratelimit_tiers_reads_total 1
gw_ratelimit_tiers_failures_total 0
gw_ratelimit_tiers_refused_total 0
gw_ratelimit_tiers_changes_total [01]
END



=== TEST 7: the response, also to HEAD
--- config eval
"
    gw_ratelimit  calls key=\$arg_k rate=1r/d burst=1;
$main::metrics"
--- request eval
["GET /metrics", "HEAD /metrics", "POST /metrics"]
--- error_code eval
[200, 200, 405]
--- response_headers eval
my $h = "Content-Type: text/plain; version=0.0.4; charset=utf-8\n"
        . "Cache-Control: no-store\n";
[$h, $h, ""]
--- response_body_filters eval
page_lines('gw_ratelimit_nodes')
--- response_body_like eval
['\Agw_ratelimit_nodes 0\n\z', '\A\z', '405 Not Allowed']



=== TEST 8: nothing to say
--- config eval
$main::metrics =~ s/ *gw_ratelimit  off;\n//r
--- request
GET /metrics
--- response_headers
Content-Length: 0
--- response_body



=== TEST 9: more names of limits than there are places
--- config eval
my $limits = CORE::join '', map { <<"END" } 1 .. 70;
    location = /$_.txt {
        gw_ratelimit  limit$_ key=m9 rate=1r/d burst=2;
        rewrite       ^ /t.txt break;
    }
END

$limits . $main::metrics
--- request eval
["GET /1.txt", "GET /63.txt", "GET /64.txt", "GET /70.txt", "GET /metrics"]
--- response_body_filters eval
page_lines('gw_ratelimit_decisions_total')
--- response_body_like eval
[('hello') x 4, '\A' . quotemeta(<<'END') . '\z']
gw_ratelimit_decisions_total{limit="limit1",result="passed"} 1
gw_ratelimit_decisions_total{limit="limit63",result="passed"} 1
gw_ratelimit_decisions_total{limit="other",result="passed"} 2
END
