# Copyright (C) The nginx gateway modules authors

# Where a credential may come from, what is left of it for the upstream and
# for the logs, and that nobody presents two.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GWAuth;


# all places at once

our $anywhere = <<'END_OF_CONFIG';
    gw_auth_provider accounts {
        issuer      https://accounts.test;
        audience    gateway;
        credential  bearer header=X-Token cookie=sid query=token;
        jwks        file=$TEST_NGINX_KEYS/jwks.json;
    }

    log_format  uri  '[$request] [$request_uri] [$args] [$arg_token] '
                     '[$cookie_sid]';
END_OF_CONFIG

our $proxied = <<'END_OF_CONFIG';
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
END_OF_CONFIG

our $token = token();
our $other = token(claims => { sub => 'bob' });


# "%XX" for each byte

sub quoted {
    return join '', map { sprintf '%%%02x', ord } split //, shift;
}


# what the upstream saw, without what nginx itself puts there

sub saw {
    return shift =~ s{ HTTP/1\.0$}{}mr
                 =~ s/^(?:Host|Connection|Content-Length):.*\n//gmr;
}


# nor may any part of a credential be in a log, wherever it came from

add_response_body_check(sub {
    my ($block, $body, $i) = @_;

    my @parts = map { ref ? @$_ : $_ } $block->request // (),
                                       $block->more_headers // ();
    my %secrets = map { $_ => 1 } grep { length > 12 }
                  map { split /\./ } join(' ', @parts)
                  =~ /([\w-]{16,}\.[\w-]{16,}\.[\w-]*)/g;
    my $log = join '', map { GWAuth::slurp(server_root() . "/logs/$_.log") }
              qw(error access);

    Test::More::is(join(' ', grep { index($log, $_) >= 0 } keys %secrets),
                   '', $block->name . " - no credential in a log (req $i)")
        if !$block->forwarded;
});

run_tests();

__DATA__

=== TEST 1: one in any place passes, the upstream does not see it
--- http_config eval
$::anywhere
--- config eval
$::proxied
--- request eval
["GET /a", "GET /b", "GET /c", "GET /d?token=$::token", "GET /e"]
--- more_headers eval
[bearer($::token), "X-Token: $::token\n", "Cookie: sid=$::token\n", "", ""]
--- error_code eval
[200, 200, 200, 200, 401]
--- response_body_filters eval
\&main::saw
--- response_body_like eval
['\AGET /a\n\z', '\AGET /b\n\z', '\AGET /c\n\z', '\AGET /d\n\z',
 'A credential is required']



=== TEST 2: gw_auth_forward on, the upstream sees it
--- http_config eval
$::anywhere
--- config
    gw_auth_forward  on;

    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /uri/ {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM/;
    }
--- request eval
["GET /a", "GET /b", "GET /c", "GET /d%2f?a=%41&token=$::token&b",
 "GET /uri/d?a=%41&token=$::token&b"]
--- more_headers eval
[bearer($::token), "X-Token: $::token\n", "Cookie: a=b; sid=$::token\n", "",
 ""]
--- response_body_filters eval
\&main::saw
--- response_body eval
["GET /a\nAuthorization: Bearer $::token\n",
 "GET /b\nX-Token: $::token\n",
 "GET /c\nCookie: a=b; sid=$::token\n",
 "GET /d%2f?a=%41&token=$::token&b\n",
 "GET /d?a=%41&token=$::token&b\n"]



=== TEST 3: a place that is not named is not looked at, nor changed
--- config
    location / {
        gw_auth     accounts optional;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /a", "GET /b", "GET /c?token=value"]
--- more_headers eval
["X-Token: value\n", "Cookie: sid=value\n", ""]
--- response_body_filters eval
\&main::saw
--- response_body eval
["GET /a\nX-Token: value\n", "GET /b\nCookie: sid=value\n",
 "GET /c?token=value\n"]



=== TEST 4: only the named place
--- http_config
    gw_auth_provider accounts {
        issuer      https://accounts.test;
        audience    gateway;
        credential  header=X-Token;
        jwks        file=$TEST_NGINX_KEYS/jwks.json;
    }
--- config eval
$::proxied
--- request eval
["GET /", "GET /"]
--- more_headers eval
[bearer($::token), "X-Token: $::token\n" . bearer($::other)]
--- error_code eval
[401, 200]
--- response_body_filters eval
\&main::saw
--- response_body_like eval
['A credential is required',
 '\AGET /\nAuthorization: Bearer ' . quotemeta($::other) . '\n\z']



=== TEST 5: two of them are refused, in any two places, also if they are equal
--- http_config eval
$::anywhere
--- config eval
$::proxied
--- request eval
["GET /", "GET /", "GET /", ("GET /?token=$::token") x 3, "GET /"]
--- more_headers eval
my ($b, $h, $c) = (bearer($::token), "X-Token: $::token\n",
                   "Cookie: sid=$::token\n");

["$b$h", "$b$c", "$h$c", $b, $h, $c, $b]
--- error_code eval
[(400) x 6, 200]
--- error_log
gw auth: refused: multiple_credentials
--- seen
/ - -



=== TEST 6: two of them in one place
--- http_config eval
$::anywhere
--- config eval
"underscores_in_headers on;\n" . $::proxied
--- request eval
my ($t, $o) = ($::token, $::other);

[("GET /") x 7, "GET /?token=$t&a=b&token=$o", "GET /?token=$t&token",
 "GET /?token=$t&t%6Fken=$o", "GET /?%74%6f%6b%65%6e=$t&token=$t",
 "GET /?token=$t&token=$t", "GET /?token=$t"]
--- more_headers eval
my ($t, $o) = ($::token, $::other);

["X-Token: $t\nX-Token: $o\n", "X-Token: $t\nX_Token: $o\n",
 "X_TOKEN: $t\nx-token: $t\n", "X-Token: $t\nX-Token: \n",
 "Cookie: sid=$t; sid=$o\n", "Cookie: sid=$t; a=b;sid =$o\n",
 "Cookie: sid=; sid=$t\n", ("") x 6]
--- error_code eval
[(400) x 12, 200]
--- error_log
gw auth: refused: multiple_credentials
--- seen
/ - -



=== TEST 7: two Cookie headers
--- http_config eval
$::anywhere
--- config eval
$::proxied
--- request eval
["GET /a", "GET /b"]
--- more_headers eval
["Cookie: sid=$::token\nCookie: sid=$::token\n",
 "Cookie: a=b\nX: y\nCookie: sid=$::token\n"]
--- error_code eval
[400, 200]
--- response_body_filters eval
\&main::saw
--- response_body_like eval
['', '\AGET /b\n(?:Cookie: a=b\nX: y\n|X: y\nCookie: a=b\n)\z']



=== TEST 8: all spellings of the header are removed
--- http_config eval
$::anywhere
--- config
    underscores_in_headers  on;

    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        add_header  X-Was "[$http_x_token]";
    }
--- request eval
["GET /a", "GET /b", "GET /c"]
--- more_headers eval
["X-TOKEN: $::token\nX-Tokens: a\n", "x_token: $::token\nToken: a\n",
 "X_Token: $::token\nX-Toke: a\n"]
--- response_body_filters eval
\&main::saw
--- response_body eval
["GET /a\nX-Tokens: a\n", "GET /b\nToken: a\n", "GET /c\nX-Toke: a\n"]
--- response_headers eval
[("X-Was: []") x 3]



=== TEST 9: the cookie is cut out of the others
--- http_config eval
$::anywhere
--- config
    set  $early  "$http_cookie$cookie_sid";

    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        add_header  X-Was "[$cookie_sid] [$http_cookie]";
    }
--- request eval
[("GET /") x 9]
--- more_headers eval
my $t = $::token;

["Cookie: sid=$t\n", "Cookie: sid=$t;\n", "Cookie: sid=$t; a=b\n",
 "Cookie: a=b; sid=$t\n", "Cookie: a=b;sid=$t;c=d\n",
 "Cookie: a=b; sid = $t ; c=d\n", "Cookie: xsid=1; sid=$t; sidx=2\n",
 "Cookie: SID=1; sid=$t; sid\n", "Cookie: a=\"b; sid=$t; c\"\n"]
--- response_body_filters eval
\&main::saw
--- response_body eval
["GET /\n", "GET /\n", "GET /\nCookie: a=b\n", "GET /\nCookie: a=b\n",
 "GET /\nCookie: a=b;c=d\n", "GET /\nCookie: a=b; c=d\n",
 "GET /\nCookie: xsid=1; sidx=2\n", "GET /\nCookie: SID=1; sid\n",
 "GET /\nCookie: a=\"b; c\"\n"]
--- response_headers eval
["X-Was: [] []", "X-Was: [] []", ("X-Was: [] [a=b]") x 2,
 "X-Was: [] [a=b;c=d]", "X-Was: [] [a=b; c=d]",
 "X-Was: [] [xsid=1; sidx=2]", "X-Was: [1] [SID=1; sid]",
 "X-Was: [] [a=\"b; c\"]"]



=== TEST 10: the argument is cut out of the others
--- http_config eval
$::anywhere
--- config eval
$::proxied
--- request eval
my $t = $::token;

["GET /?token=$t", "GET /?token=$t&", "GET /?token=$t&a=b",
 "GET /?a=b&token=$t", "GET /?a=%41&token=$t&c=d;e",
 "GET /?tokens=1&token=$t&xtoken=2&TOKEN=3", "GET /?t%6fken=$t&a",
 "GET /?token=" . main::quoted($t), "GET /x/%2e%2E/a%2Fb?a&&token=$t&&b",
 "GET /?a=token=x&token=$t"]
--- response_body_filters eval
\&main::saw
--- response_body eval
["GET /\n", "GET /\n", "GET /?a=b\n", "GET /?a=b\n", "GET /?a=%41&c=d;e\n",
 "GET /?tokens=1&xtoken=2&TOKEN=3\n", "GET /?a\n", "GET /\n",
 "GET /x/%2e%2E/a%2Fb?a&&&b\n", "GET /?a=token=x\n"]



=== TEST 11: whatever way the request goes on
--- http_config eval
$::anywhere
--- config
    gw_auth  accounts;

    location /uri/ {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM/;
    }
    location /variable/ {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM$request_uri;
    }
    location /rewrite/ {
        rewrite     ^/rewrite(/.*) $1 break;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /fastcgi/ {
        fastcgi_pass   127.0.0.1:$TEST_NGINX_UPSTREAM;
        fastcgi_param  REQUEST_METHOD $request_method;
        fastcgi_param  QUERY_STRING $query_string;
        fastcgi_param  REQUEST_URI $request_uri;
    }
    location /uwsgi/ {
        uwsgi_pass   127.0.0.1:$TEST_NGINX_UPSTREAM;
        uwsgi_param  QUERY_STRING $args;
        uwsgi_param  REQUEST_URI $request_uri;
    }
--- request eval
[map { "GET /$_/x?a=%41&token=$::token&b" }
 qw(uri variable rewrite fastcgi uwsgi)]
--- response_body_filters eval
sub {
    return CORE::join ' ', shift =~ /^(?:GET |(?:QUERY_STRING|REQUEST_URI)=)(\S+)/mg;
}
--- response_body eval
["/x?a=%41&b", "/variable/x?a=%41&b", "/x?a=%41&b",
 "a=%41&b /fastcgi/x?a=%41&b", "a=%41&b /uwsgi/x?a=%41&b"]



=== TEST 12: logs, also if the variables were there before
--- http_config eval
$::anywhere
--- config
    access_log  logs/access.log uri;

    set  $early  "$request_uri $args $query_string $arg_token $request";

    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /a?token=$::token", "GET /b?a=%41&t%6fken=$::token&c",
 "GET /c?token=" . main::expired() . "&d=e",
 "GET /d?token=$::token&token=$::other"]
--- error_code eval
[200, 200, 401, 400]
--- logged eval
my $n = length $::token;
my $m = length main::expired();
my $o = length $::other;

"[GET /a?token=" . '*' x $n . " HTTP/1.1] [/a] [] [-] [-]\n"
. "[GET /b?a=%41&t%6fken=" . '*' x $n
. "&c HTTP/1.1] [/b?a=%41&c] [a=%41&c] [-] [-]\n"
. "[GET /c?token=" . '*' x $m . "&d=e HTTP/1.1] [/c?d=e] [d=e] [-] [-]\n"
. "[GET /d?token=" . '*' x $n . '&token=' . '*' x $o
. " HTTP/1.1] [/d] [] [-] [-]\n"



=== TEST 13: the error log, when the upstream is down
--- http_config eval
$::anywhere
--- config
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- request eval
"GET /?a=b&token=$::token"
--- error_code: 502
--- error_log eval
[qr{request: "GET /\?a=b&token=\*+ HTTP/1\.1"},
 qr{upstream: "http://127\.0\.0\.1:\d+/\?a=b"}]
--- no_error_log
[alert]
[crit]



=== TEST 14: gw_auth_forward on, the request line is masked even so
--- http_config eval
$::anywhere
--- config
    gw_auth_forward  on;

    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
"GET /?token=$::token"
--- response_body_filters eval
\&main::saw
--- response_body eval
"GET /?token=$::token\n"



=== TEST 15: empty ones are there, and refused
--- http_config eval
$::anywhere
--- config
    location / {
        gw_auth     accounts optional;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
[("GET /") x 3, "GET /?token=", "GET /?a&token", "GET /?a=b"]
--- more_headers eval
["Authorization: Bearer\n", "X-Token:\n", "Cookie: sid=\n", "", "",
 "Cookie: sid\n"]
--- error_code eval
[(401) x 5, 200]
--- seen
/?a=b - -



=== TEST 16: longer than any may be
--- http_config eval
$::anywhere
--- config eval
"large_client_header_buffers 4 64k;\n" . $::proxied
--- request eval
my $long = 'x' x 17000;

["GET /", "GET /", "GET /", "GET /?token=$long", "GET /?token=$::token"]
--- more_headers eval
my $long = 'x' x 17000;

["Authorization: Bearer $long\n", "X-Token: $long\n", "Cookie: sid=$long\n",
 "", ""]
--- error_code eval
[(401) x 4, 200]
--- error_log
gw auth: refused: too_long



=== TEST 17: a blank is none in an argument, a tab is none in a header
--- http_config eval
$::anywhere
--- config eval
$::proxied
--- request eval
["GET /?token=+$::token", "GET /?token=$::token%20", "GET /", "GET /"]
--- more_headers eval
["", "", "Authorization: Bearer\t$::token\n", bearer(" $::token")]
--- error_code eval
[401, 401, 401, 200]
--- error_log
gw auth: refused: malformed



=== TEST 18: after an internal redirect it is known, and still removed
--- http_config eval
$::anywhere
--- config
    location / {
        gw_auth     accounts;
        error_page  404 = /again?a=b;
        root        $TEST_NGINX_HTML;

        log_not_found  off;
    }
    location /try {
        gw_auth    accounts;
        root       $TEST_NGINX_HTML;
        try_files  /nothing @named;
    }
    location /again {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        add_header  X-Who $gw_subject;
    }
    location @named {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        add_header  X-Who $gw_subject;
    }
--- request eval
["GET /none?token=$::token", "GET /none", "GET /try?c&token=$::token",
 "GET /try"]
--- more_headers eval
["", "Cookie: sid=$::token; d=e\n", "", "X-Token: $::token\n"]
--- response_headers eval
[("X-Who: alice") x 4]
--- response_body_filters eval
\&main::saw
--- response_body eval
["GET /again?a=b\n", "GET /again?a=b\nCookie: d=e\n", "GET /try?c\n",
 "GET /try\n"]



=== TEST 19: over HTTP/2
--- http_config eval
$::anywhere . <<'END'
    server {
        listen   127.0.0.1:$TEST_NGINX_RAND_PORT_1 http2;
        gw_auth  accounts;

        location / {
            proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        }
    }
END
--- config
    location / {
        grpc_pass  grpc://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- request eval
["GET /a?b=c&token=$::token", "GET /a?b=c&token=$::token", "GET /d",
 "GET /e?token=$::token&token=$::token"]
--- more_headers eval
["", "", "Cookie: sid=$::token; f=g\n", ""]
--- error_code eval
[200, 200, 200, 400]
--- forwarded: the first server logs what it passes on
--- response_body_filters eval
\&main::saw
--- response_body_like eval
['\AGET /a\?b=c\n', '\AGET /a\?b=c\n', '\AGET /d\ncookie: f=g\n\z', '']



=== TEST 20: a place that can't be
--- http_config
    gw_auth_provider accounts {
        issuer      https://accounts.test;
        audience    gateway;
        credential  cookie=;
        jwks        file=$TEST_NGINX_KEYS/jwks.json;
    }
--- config
--- must_die
--- error_log
"cookie=" in "credential" of "gw_auth_provider" "accounts" has an empty name



=== TEST 21: a place of another kind
--- http_config
    gw_auth_provider accounts {
        issuer      https://accounts.test;
        audience    gateway;
        credential  body=token;
        jwks        file=$TEST_NGINX_KEYS/jwks.json;
    }
--- config
--- must_die
--- error_log
must be "bearer", "header=", "cookie=", or "query="



=== TEST 22: a name that can't be
--- http_config
    gw_auth_provider accounts {
        issuer      https://accounts.test;
        audience    gateway;
        credential  query=a&b;
        jwks        file=$TEST_NGINX_KEYS/jwks.json;
    }
--- config
--- must_die
--- error_log
has a name of other than letters, digits, "-", "_", and "."



=== TEST 23: a header that can't be
--- http_config
    gw_auth_provider accounts {
        issuer      https://accounts.test;
        audience    gateway;
        credential  header=Host;
        jwks        file=$TEST_NGINX_KEYS/jwks.json;
    }
--- config
--- must_die
--- error_log
names a header that can't carry it



=== TEST 24: the same place in two spellings
--- http_config
    gw_auth_provider accounts {
        issuer      https://accounts.test;
        audience    gateway;
        credential  header=X-Token header=x_token;
        jwks        file=$TEST_NGINX_KEYS/jwks.json;
    }
--- config
--- must_die
--- error_log
"credential" of "gw_auth_provider" "accounts" names the same place twice



=== TEST 25: a variable that was evaluated while the credential was there
--- http_config eval
$::anywhere
--- config
    location = /ask {
        internal;
        gw_auth           off;
        proxy_pass        http://127.0.0.1:$TEST_NGINX_UPSTREAM/;
        proxy_set_header  X-Was "$request_uri $args $arg_token";
    }
    location / {
        gw_auth           accounts;
        auth_request      /ask;
        proxy_pass        http://127.0.0.1:$TEST_NGINX_UPSTREAM$request_uri;
        proxy_set_header  X-Was "$args $arg_token";
    }
--- request eval
"GET /a?b=c&token=$::token"
--- response_body_filters eval
\&main::saw
--- response_body eval
"GET /a?b=c\nX-Was: b=c \n"



=== TEST 26: logs, if the request ends before it is authenticated
--- http_config eval
$::anywhere . '
    limit_req_zone  $server_name zone=all:1m rate=1r/m;
'
--- config
    access_log  logs/access.log uri;
    limit_req   zone=all;

    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /returned {
        gw_auth  accounts;
        return   204;
    }
--- request eval
["GET /a?token=$::token", "GET /b?a=%41&t%6fken=$::token&c",
 "GET /returned?token=$::token&d=e"]
--- error_code eval
[200, 503, 204]
--- logged eval
my $stars = '*' x length $::token;

"[GET /a?token=$stars HTTP/1.1] [/a] [] [-] [-]\n"
. "[GET /b?a=%41&t%6fken=$stars&c HTTP/1.1] [/b?a=%41&c] [a=%41&c] [-] [-]\n"
. "[GET /returned?token=$stars&d=e HTTP/1.1] [/returned?d=e] [d=e] [-] [-]\n"
--- no_error_log
[alert]
[crit]
