# Copyright (C) The nginx gateway modules authors

# Requests that go through a second location: its gw_auth and its gw_passport
# count there, what the first one knew is not lost.  And error pages.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GWAuth;


config_preamble(<<'END');
    location = /jwks {
        gw_auth  off;
        gw_passport_jwks;
    }
END

our $two_providers = <<'END';
    gw_auth_provider accounts {
        issuer    https://accounts.test;
        audience  gateway;
        jwks      file=$TEST_NGINX_KEYS/jwks.json;
        subject   shared;
    }
    gw_auth_provider partners {
        issuer    https://partners.test;
        audience  gateway;
        jwks      file=$TEST_NGINX_KEYS/ec.jwks.json;
        subject   shared;
    }

    gw_passport_key  new $TEST_NGINX_KEYS/passport.pem;
END

run_tests();

__DATA__

=== TEST 1: try_files to a named location with its own audience
--- config
    gw_auth      accounts;
    gw_passport  audience=first;

    location / {
        try_files  /none @orders;
    }
    location @orders {
        gw_passport  audience=orders;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request
GET /
--- more_headers eval
bearer(token()) . "X-Passport: forged\n"
--- response_body_filters eval
\&passports
--- response_body_like: "aud":"orders",.*"sub":"alice"
--- seen
/ orders -



=== TEST 2: try_files to another location
--- config
    gw_auth      accounts;
    gw_passport  audience=first;

    location / {
        try_files  /none /orders/1;
    }
    location /orders {
        gw_passport  audience=orders;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request
GET /
--- more_headers eval
bearer(token()) . "X-Passport: forged\n"
--- seen
/orders/1 orders -



=== TEST 3: error_page after the upstream answered 503
--- config
    gw_auth      accounts;
    gw_passport  audience=first;

    location / {
        proxy_pass              http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        proxy_intercept_errors  on;
        error_page              503 = @fallback;
    }
    location @fallback {
        gw_passport  audience=orders;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request
GET /status=503
--- more_headers eval
bearer(token()) . "X-Passport: forged\n"
--- error_code: 503
--- response_body_filters eval
\&passports
--- response_body_like: "aud":"orders",.*"sub":"alice"
--- seen
/status=503 first -
/status=503 orders -



=== TEST 4: X-Accel-Redirect, three locations, and back to the first
--- config
    gw_auth      accounts;
    gw_passport  audience=first;

    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /second {
        gw_passport  audience=second;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM/x-accel=/third;
    }
    location /third {
        gw_passport  audience=third,orders;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM/y-accel=/last;
    }
--- request
GET /a-accel=/second
--- more_headers eval
bearer(token()) . "X-Passport: forged\n" . "X-A: 1\n" x 30
--- seen
/a-accel=/second first -
/last first -
/x-accel=/third second -
/y-accel=/last third,orders -



=== TEST 5: the index of a directory
--- config
    gw_auth      accounts;
    gw_passport  audience=first;

    location / {
        index  index.html;
    }
    location = /index.html {
        gw_passport  audience=orders;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- user_files
>>> index.html
--- request
GET /
--- more_headers eval
bearer(token())
--- seen
/index.html orders -



=== TEST 6: on to a location without a passport
--- config
    gw_auth      accounts;
    gw_passport  audience=first;

    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /second {
        gw_passport  off;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request
GET /accel=/second
--- more_headers eval
bearer(token())
--- seen
/accel=/second first -
/second - -



=== TEST 7: what the variables said of it is forgotten
--- config
    gw_auth      accounts;
    gw_passport  audience=first;

    proxy_set_header  X-Copy "<$http_x_passport$gw_passport>";

    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /second {
        gw_passport  off;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request
GET /accel=/second
--- more_headers eval
bearer(token())
--- response_body_filters eval
header_lines('X-Copy')
--- response_body
X-Copy: <>



=== TEST 8: on to a location where auth is off
--- config
    gw_auth      accounts;
    gw_passport  audience=first;

    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /second {
        gw_auth     off;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request
GET /accel=/second
--- more_headers eval
bearer(token())
--- seen
/accel=/second first -
/second - -



=== TEST 9: from a location where auth is off to one where it is on
--- config
    location / {
        try_files  /none @orders;
    }
    location @orders {
        gw_auth      accounts;
        gw_passport  audience=orders;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /a", "GET /b", "GET /c"]
--- more_headers eval
my $h = "X-Passport: forged\n";
[bearer(token()) . $h, $h, bearer(expired()) . $h]
--- error_code eval
[200, 401, 401]
--- response_headers eval
["! WWW-Authenticate", ("Content-Type: application/problem+json") x 2]
--- seen
/a orders -



=== TEST 10: on to a location that does not admit the issuer
--- http_config eval
$::two_providers
--- config
    location / {
        gw_auth      accounts partners;
        gw_passport  audience=first;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /second {
        gw_auth      partners;
        gw_passport  audience=second;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        add_header   X-Who "$gw_subject,$gw_auth_status" always;
    }
--- request eval
["GET /accel=/second", "GET /accel=/second"]
--- more_headers eval
[bearer(token(key => 'ec', claims => { iss => 'https://partners.test' })),
 bearer(token())]
--- error_code eval
[200, 401]
--- response_headers eval
['X-Who: alice,ok', "X-Who: ,wrong_issuer\nContent-Type: application/problem+json
WWW-Authenticate: Bearer realm=\"gateway\", error=\"invalid_token\""]
--- response_body_filters eval
\&GWAuth::request_id
--- response_body_like eval
['\AGET /second', '\A' . quotemeta(problem('The credential is not valid'))]
--- seen
/accel=/second first -
/accel=/second first -
/second second -



=== TEST 11: optional first, then required
--- config
    location / {
        gw_auth    accounts optional;
        try_files  /none @orders;
    }
    location @orders {
        gw_auth      accounts;
        gw_passport  audience=orders;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /", "GET /"]
--- more_headers eval
["", bearer(token())]
--- error_code eval
[401, 200]
--- response_headers eval
["Content-Type: application/problem+json
WWW-Authenticate: Bearer realm=\"gateway\"", "! WWW-Authenticate"]
--- response_body_filters eval
\&GWAuth::request_id
--- response_body_like eval
['\A' . quotemeta(problem('A credential is required')), '\AGET /']
--- seen
/ orders -



=== TEST 12: the variables after a redirect, also in the log
--- http_config eval
GWAuth::http_config() . '
    log_format  who "$uri $gw_subject $gw_auth_status $gw_claim_iss";
'
--- config
    access_log  logs/access.log who;
    error_page  404 /missing;

    location / {
        gw_auth  accounts;
        root     $TEST_NGINX_HTML;
    }
    location = /missing {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        add_header  X-Who "$gw_subject $gw_tier $gw_auth_provider" always;
    }
--- request
GET /nothing
--- more_headers eval
bearer(token())
--- error_code: 404
--- response_headers
X-Who: alice gold accounts
--- error_log
No such file or directory
--- no_error_log
[alert]
--- logged
/missing alice ok https://accounts.test
--- seen
/missing - -



=== TEST 13: the user's page for 401 wins
--- config
    error_page  401 /denied.html;

    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location = /denied.html {
        root  $TEST_NGINX_HTML;
    }
--- user_files
>>> denied.html
my own page
--- request eval
["GET /", "GET /", "HEAD /", "POST /\nbody"]
--- more_headers eval
["", bearer(expired()), "", ""]
--- error_code eval
[401, 401, 401, 401]
--- response_headers eval
my $r = 'WWW-Authenticate: Bearer realm="gateway"';
["Content-Type: text/html\n$r",
 "Content-Type: text/html\n$r, error=\"invalid_token\"",
 "Content-Type: text/html\nContent-Length: 12\n$r",
 "Content-Type: text/html\n$r"]
--- response_body eval
["my own page\n", "my own page\n", "", "my own page\n"]



=== TEST 14: a page for 401 that needs authentication itself
--- config
    gw_auth     accounts;
    error_page  401 /denied.html;

    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location = /denied.html {
        root  $TEST_NGINX_HTML;
    }
--- user_files
>>> denied.html
my own page
--- request
GET /
--- error_code: 401
--- response_headers
Content-Type: application/problem+json
WWW-Authenticate: Bearer realm="gateway"
--- response_body_filters eval
\&GWAuth::request_id
--- response_body eval
problem('A credential is required')



=== TEST 15: error_page 401 to an upstream: no identity, no passport
--- config
    gw_passport  audience=orders;

    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        error_page  401 = @login;
    }
    location @login {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /a", "GET /b"]
--- more_headers eval
["X-Passport: forged", bearer(expired()) . "X-Passport: forged\n"]
--- error_code eval
[200, 200]
--- seen
/a - -
/b - Bearer



=== TEST 16: an upstream's own 401 is left alone
--- config
    location / {
        gw_auth     accounts optional;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /status=401", "GET /status=401"]
--- more_headers eval
["", bearer(token())]
--- error_code eval
[401, 401]
--- response_body_like eval
[('\AGET /status=401') x 2]
--- response_headers eval
[("! WWW-Authenticate\n! Content-Type") x 2]



=== TEST 17: auth_request on a second pass sees neither passport nor credential
--- config
    gw_auth      accounts;
    gw_passport  audience=first;

    location / {
        try_files  /none @orders;
    }
    location @orders {
        gw_passport   audience=orders;
        auth_request  /check/status=204;
        proxy_pass    http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /check {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request
GET /
--- more_headers eval
bearer(token()) . "X-Passport: forged\n"
--- seen
/ orders -
/check/status=204 - -



=== TEST 18: another module's 401 is left alone
--- config
    location / {
        gw_auth       accounts optional;
        auth_request  /check/status=401;
        proxy_pass    http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /check {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /", "GET /"]
--- more_headers eval
["", bearer(token())]
--- error_code eval
[401, 401]
--- response_body_like eval
[('<html>') x 2]
--- response_headers eval
[("! WWW-Authenticate") x 2]



=== TEST 19: requests that nginx refuses while it reads their headers
--- config
    error_page  400 = @bad;

    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location @bad {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- raw_request eval
"GET /a HTTP/1.1\r
Host: localhost\r
X-Passport: forged\r
Authorization: Basic YTo=\r
X-Passport: forged\r
Authorization: Basic YTo=\r
Connection: close\r
\r
"
--- seen
/a - Basic



=== TEST 20: the same with a page, which wants a passport
--- config
    error_page   400 /bad;
    gw_auth      accounts optional;
    gw_passport  audience=orders;

    location /bad {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- raw_request eval
"GET /a HTTP/1.1\r
Host: localhost\r
X-Passport: forged\r
" . bearer(token()) =~ s/\n/\r\n/r . "Content-Length: x\r
Connection: close\r
\r
"
--- error_code: 400
--- seen
/bad orders -



=== TEST 21: a request line that is none
--- config
    error_page   400 /bad;
    gw_auth      accounts optional;
    gw_passport  audience=orders;

    location /bad {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- raw_request eval
"get /a HTTP/1.1\r\nX-Passport: forged\r\n\r\n"
--- error_code: 400
--- seen
/bad - -



=== TEST 22: HTTP/0.9, which has no headers
--- config
    gw_auth      accounts;
    gw_passport  audience=orders;

    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- raw_request eval
"GET /a\r\n"
--- http09
--- response_body_filters eval
\&GWAuth::request_id
--- response_body eval
problem('A credential is required')
--- seen



=== TEST 23: HTTP/0.9 and no authentication
--- config
    gw_auth      accounts optional;
    gw_passport  audience=orders;

    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- raw_request eval
"GET /a\r\n"
--- http09
--- response_body_like: \AGET /a
--- seen
/a - -



=== TEST 24: on to a location where another provider would have been asked
--- http_config
    gw_auth_zone     identities:1m;
    gw_passport_key  new $TEST_NGINX_KEYS/passport.pem;

    gw_auth_provider accounts {
        issuer      https://accounts.test;
        audience    gateway;
        credential  bearer cookie=c;
        jwks        file=$TEST_NGINX_KEYS/jwks.json;
        subject     shared;
    }
    gw_auth_provider sessions {
        introspect  uri=/introspect;
        subject     shared;
    }
--- config
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /second {
        gw_auth     sessions accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        add_header  X-Who "$gw_subject,$gw_auth_status" always;
    }
    location = /introspect {
        internal;
        return  200 '{"active":false}';
    }
--- request eval
["GET /accel=/second", "GET /second", "GET /accel=/second"]
--- more_headers eval
[bearer(token()), bearer(token()), "Cookie: c=" . token() . "\n"]
--- error_code eval
[401, 401, 200]
--- response_headers eval
[("X-Who: ,inactive\nContent-Type: application/problem+json
WWW-Authenticate: Bearer realm=\"gateway\", error=\"invalid_token\"") x 2,
 'X-Who: alice,ok']
--- seen
/accel=/second - -
/accel=/second - -
/second - -
