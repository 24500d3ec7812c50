# Copyright (C) The nginx gateway modules authors

# The page of gw_metrics: what is on it, and that Prometheus can read it.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GWAuth;
use GwMetrics;


our $expired = token(claims => { exp => time() - 3600 });

our $page = <<'END_OF_CONFIG';
    location / {
        gw_auth      accounts;
        gw_passport  audience=orders;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location = /metrics {
        gw_auth  off;
        gw_metrics;
    }
END_OF_CONFIG


# what error.log says after the last request

add_test_cleanup_handler(sub {
    my $block = shift;

    Test::More::like(GWAuth::slurp(server_root() . '/logs/error.log'),
                     qr/\Q@{[ $block->finally ]}\E/,
                     $block->name . ' - error.log')
        if defined $block->finally;
});

run_tests();

__DATA__

=== TEST 1: decisions, by provider and reason, and what was signed
--- config eval
$::page
--- request eval
[("GET /") x 6, "GET /metrics", "GET /", "GET /metrics"]
--- more_headers eval
[bearer(token()), bearer(token()), bearer($::expired), bearer("a.b"), "",
 bearer("a.b.c"), "", bearer(token()), ""]
--- error_code eval
[200, 200, (401) x 4, 200, 200, 200]
--- response_body_filters eval
page_lines('gw_auth_(?:decisions|passports_signed)_total')
--- response_body_like eval
my $page = sub {
    return '\A' . quotemeta(<<"END") . '\z';
gw_auth_decisions_total{provider="accounts",result="ok"} $_[0]
gw_auth_decisions_total{provider="accounts",result="expired"} 1
gw_auth_decisions_total{provider="",result="malformed"} 2
gw_auth_decisions_total{provider="",result="missing"} 1
gw_auth_passports_signed_total $_[0]
END
};

[('') x 6, $page->(2), '', $page->(3)]



=== TEST 2: the response
--- config eval
$::page
--- request eval
["GET /metrics", "HEAD /metrics", "POST /metrics"]
--- error_code eval
[200, 200, 405]
--- response_headers eval
my $h = "Content-Type: text/plain; version=0.0.4; charset=utf-8\n"
        . "Cache-Control: no-store\n";
[$h, $h, ""]
--- response_body_filters eval
page_lines('gw_auth_passports_signed_total')
--- response_body_like eval
['\Agw_auth_passports_signed_total 0\n\z', '\A\z', '405 Not Allowed']



=== TEST 3: it is read by those only who may
--- config
    location = /metrics {
        gw_auth  off;
        deny     all;
        gw_metrics;
    }
--- request
GET /metrics
--- error_code: 403
--- no_error_log
[alert]
[crit]



=== TEST 4: nothing to say
--- http_config
--- config
    location = /metrics {
        gw_metrics;
    }
--- request
GET /metrics
--- response_headers
Content-Length: 0
--- response_body



=== TEST 5: in a subrequest, with the main request's own body
--- config
    location = /metrics {
        gw_auth  off;
        gw_metrics;
    }
    location = /both {
        add_before_body   /metrics;
        add_after_body    /metrics;
        addition_types    *;
        default_type      text/plain;
        root              $TEST_NGINX_HTML;
    }
--- user_files
>>> both
# both
--- request
GET /both
--- response_body_like: \A# HELP gw_auth_[^#]*#[^#]*(?s:.*)\n# both\n# HELP gw_auth_



=== TEST 6: a name of a provider with all that must be escaped
--- http_config
    gw_auth_provider 'a"b\\\\c' {
        issuer    https://accounts.test;
        audience  gateway;
        jwks      file=$TEST_NGINX_KEYS/jwks.json;
    }
--- config
    location / {
        gw_auth     'a"b\\\\c';
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location = /metrics {
        gw_metrics;
    }
--- request eval
["GET /", "GET /metrics"]
--- more_headers eval
[bearer(token()), ""]
--- response_body_filters eval
page_lines('gw_auth_decisions_total')
--- response_body_like eval
['', '\A' . quotemeta('gw_auth_decisions_total'
                      . '{provider="a\"b\\\\\\\\c",result="ok"} 1') . '\n\z']



=== TEST 7: more providers than the page is expected to be large for
--- http_config eval
CORE::join '', map { <<"END" } 1 .. 60
    gw_auth_provider provider$_ {
        issuer    https://provider$_.test;
        audience  gateway;
        subject   prefix=$_:;
        jwks      file=\$TEST_NGINX_KEYS/jwks.json;
    }
END
--- config
    location = /metrics {
        gw_metrics;
    }
--- request
GET /metrics
--- response_body_filters eval
page_lines('gw_auth_revoked_total')
--- response_body eval
CORE::join '', map { "gw_auth_revoked_total{provider=\"provider$_\"} 0\n" }
    1 .. 60



=== TEST 8: the identity zone
--- http_config eval
"gw_auth_zone identities:1m;\n" . GWAuth::http_config()
--- config eval
$::page
--- request eval
["GET /", "GET /", "GET /metrics"]
--- more_headers eval
our $t //= token();
[bearer($t), bearer($t), ""]
--- response_body_filters eval
page_lines('gw_auth_zone_(?:hits|misses|evictions|resets)_total')
--- response_body_like eval
['', '', '\A' . quotemeta(<<'END') . '(?s:.*)\z']
gw_auth_zone_hits_total{part="identities"} 1
END



=== TEST 9: an auth service that is down
--- http_config
    gw_auth_zone  identities:1m;

    gw_auth_provider sessions {
        introspect  uri=/introspect;
    }
--- config
    location = /introspect {
        internal;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
    location / {
        gw_auth     sessions;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location = /metrics {
        gw_auth  off;
        gw_metrics;
    }
--- request eval
[("GET /") x 7, "GET /metrics"]
--- more_headers eval
[(map { bearer("opaque-token-$_") } 1 .. 7), ""]
--- error_code eval
[(503) x 7, 200]
--- response_body_filters eval
page_lines('gw_auth_(?:decisions|upstream_requests|breaker|introspection)\w*')
--- response_body_like eval
[('') x 7,
 '\Agw_auth_decisions_total\{provider="sessions",'
 . 'result="introspection_unavailable"\} 7\n'
 . '(?s:.*)\{provider="sessions",result="asked"\} 5\n'
 . '(?s:.*)\{provider="sessions",result="failed"\} 5\n'
 . '(?s:.*)\{provider="sessions",result="open"\} 2\n'
 . '(?s:.*)_bucket\{provider="sessions",le="\+Inf"\} \d+\n'
 . '(?s:.*)gw_auth_breaker_open\{provider="sessions"\} 1\n\z']
--- finally: provider "sessions" is down
--- no_error_log
[alert]
[crit]



=== TEST 10: keys and revocations read from afar
--- http_config
    gw_auth_redis        redis://127.0.0.1:$TEST_NGINX_REDIS_PORT;
    gw_auth_revocations  key=gw:revoked;

    gw_auth_provider accounts {
        issuer    https://accounts.test;
        audience  gateway;
        jwks      uri=/keys;
    }
--- config
    location = /keys {
        internal;
        alias  $TEST_NGINX_KEYS/jwks.json;
    }
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location = /metrics {
        gw_auth  off;
        gw_metrics;
    }
--- request eval
["GET /", "GET /metrics"]
--- more_headers eval
[bearer(token()), ""]
--- response_body_filters eval
page_lines('gw_auth_(?:keys|revocations)_\w*')
--- response_body_like eval
['', '\Agw_auth_keys_generation\{provider="accounts"\} [1-9]\d*\n'
 . 'gw_auth_keys_fetched_total\{provider="accounts"\} 1\n'
 . 'gw_auth_keys_failed_total\{provider="accounts"\} 0\n'
 . 'gw_auth_keys_age_seconds\{provider="accounts"\} [\d.]+\n'
 . 'gw_auth_revocations_read 1\n'
 . 'gw_auth_revocations_age_seconds [\d.]+\n'
 . 'gw_auth_revocations_entries 0\n'
 . 'gw_auth_revocations_size [1-9]\d*\n'
 . 'gw_auth_revocations_overflows_total 0\n'
 . 'gw_auth_revocations_malformed_total 0\n'
 . 'gw_auth_revocations_polls_total [1-9]\d*\n'
 . 'gw_auth_revocations_failures_total 0\n\z']



=== TEST 11: twice
--- config
    location = /metrics {
        gw_metrics;
        gw_metrics;
    }
--- must_die
--- error_log
"gw_metrics" directive is duplicate



=== TEST 12: together with another handler
--- config
    location = /metrics {
        proxy_pass  http://127.0.0.1:1;
        gw_metrics;
    }
--- must_die
--- error_log
"gw_metrics" directive is not compatible with another handler of the location
