# Copyright (C) The nginx gateway modules authors

# gw_auth beside nginx's own access modules, and in subrequests.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GWAuth;


our $basic = "Authorization: Basic Ym9iOnNlY3JldA==\n";
our $wrong = "Authorization: Basic Ym9iOndyb25n\n";

run_tests();

__DATA__

=== TEST 1: satisfy any: the address suffices, there is no identity then
--- http_config eval
GWAuth::http_config() . '
    log_format  who "$gw_subject,$gw_auth_status,$gw_passport";
'
--- config
    access_log   logs/access.log who;
    satisfy      any;
    allow        127.0.0.1;
    deny         all;
    gw_auth      accounts;
    gw_passport  audience=orders;

    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /a", "GET /b", "GET /c"]
--- more_headers eval
["X-Passport: forged", bearer(expired()), $::basic]
--- error_code eval
[200, 200, 200]
--- response_headers eval
["! WWW-Authenticate", "! WWW-Authenticate", "! WWW-Authenticate"]
--- logged
-,missing,-
-,expired,-
-,missing,-
--- seen
/a - -
/b - -
/c - Basic



=== TEST 2: satisfy any: a 401 of the upstream is not ours then
--- config
    satisfy  any;
    allow    127.0.0.1;
    deny     all;
    gw_auth  accounts;

    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request
GET /status=401
--- more_headers eval
bearer(expired())
--- error_code: 401
--- response_headers
! WWW-Authenticate
--- response_body_like: \AGET /status=401



=== TEST 3: satisfy any: a token suffices
--- config
    satisfy      any;
    deny         all;
    gw_auth      accounts;
    gw_passport  audience=orders;

    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        add_header  X-Who "$gw_subject,$gw_auth_status" always;
    }
--- request eval
["GET /", "GET /", "GET /"]
--- more_headers eval
[bearer(token()), "", bearer(expired())]
--- error_code eval
[200, 401, 401]
--- response_headers eval
["X-Who: alice,ok\n! WWW-Authenticate",
 "X-Who: ,missing\nWWW-Authenticate: Bearer realm=\"gateway\"
Content-Type: application/problem+json",
 "X-Who: ,expired
WWW-Authenticate: Bearer realm=\"gateway\", error=\"invalid_token\""]
--- no_error_log
[alert]
[crit]
--- seen
/ orders -



=== TEST 4: satisfy all, the default: both are needed
--- config
    gw_auth  accounts;

    location / {
        deny        all;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /allowed {
        allow       all;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /", "GET /", "GET /allowed", "GET /allowed"]
--- more_headers eval
[bearer(token()), "", bearer(token()), ""]
--- error_code eval
[403, 401, 200, 401]
--- no_error_log
[alert]
--- seen
/allowed - -



=== TEST 5: satisfy any with auth_basic: each has its own scheme
--- config
    satisfy               any;
    auth_basic            "people";
    auth_basic_user_file  $TEST_NGINX_HTML/users;
    gw_auth               accounts;
    gw_passport           audience=orders;

    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        add_header  X-Who "$remote_user,$gw_subject" always;
    }
--- user_files
>>> users
bob:{PLAIN}secret
--- request eval
["GET /basic", "GET /bearer", "GET /none", "GET /wrong", "GET /expired"]
--- more_headers eval
[$::basic, bearer(token()), "", $::wrong, bearer(expired())]
--- error_code eval
[200, 200, 401, 401, 401]
--- response_headers eval
my $r = 'Bearer realm="gateway"';
my $b = 'Basic realm="people"';
["! WWW-Authenticate\nX-Who: bob,", "! WWW-Authenticate\nX-Who: ,alice",
 "WWW-Authenticate: $r, $b", "WWW-Authenticate: $r, $b",
 "WWW-Authenticate: $r, error=\"invalid_token\", $b"]
--- no_error_log
[alert]
--- seen
/basic - Basic
/bearer orders -



=== TEST 6: auth_request asks with the credential, and without X-Passport
--- config
    location / {
        gw_auth       accounts;
        gw_passport   audience=orders;
        auth_request  /check/status=204;
        proxy_pass    http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /denied {
        gw_auth       accounts;
        auth_request  /check/status=403;
        proxy_pass    http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /check {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /a", "GET /b", "GET /denied"]
--- more_headers eval
my $h = "X-Passport: forged\n";
[bearer(token()) . $h, $h, bearer(token()) . $h]
--- error_code eval
[200, 401, 403]
--- seen
/a orders -
/check/status=204 - Bearer
/check/status=403 - Bearer



=== TEST 7: satisfy any with auth_request: no challenge is left behind
--- config
    location / {
        satisfy               any;
        gw_auth               accounts;
        auth_basic            "people";
        auth_basic_user_file  $TEST_NGINX_HTML/users;
        auth_request          /check/status=204;
        proxy_pass            http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /check {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- user_files
>>> users
bob:{PLAIN}secret
--- request
GET /
--- response_headers
! WWW-Authenticate
--- seen
/ - -
/check/status=204 - -



=== TEST 8: the parts of a page get the passport of the page
--- config
    gw_auth      accounts;
    gw_passport  audience=orders;

    location / {
        root       $TEST_NGINX_HTML;
        ssi        on;
        ssi_types  *;
    }
    location /part {
        gw_auth     off;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        add_header  X-Part $gw_subject;
    }
--- user_files
>>> page.html
<!--#include virtual="/part/1" --><!--#include virtual="/part/2" -->
--- request eval
["GET /page.html", "GET /page.html"]
--- more_headers eval
[bearer(token()) . "X-Passport: forged\n", ""]
--- error_code eval
[200, 401]
--- seen
/part/1 orders -
/part/2 orders -



=== TEST 9: a mirror gets the passport too
--- config
    gw_auth      accounts;
    gw_passport  audience=orders;

    location / {
        mirror      /mirror;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location = /mirror {
        internal;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM/mirrored;
    }
--- request eval
["GET /a", "GET /b"]
--- more_headers eval
[bearer(token()) . "X-Passport: forged\n", ""]
--- error_code eval
[200, 401]
--- seen
/a orders -
/mirrored orders -
