# Copyright (C) The nginx gateway modules authors

# The passport: what clients send in its place is removed, what upstreams get
# is verified by PyJWT with the published keys.

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

$ENV{TEST_NGINX_H2} = GWAuth::start_h2();

# requests with many headers, some of them forged: nginx keeps 20 in a part
# of its list, the first two are Host and Connection

our (@crowds, @survivors);

for my $n (1, 2, 18, 19, 20, 37, 38, 39, 45) {
    for my $forged ([0], [$n - 1], [int $n / 2], [0, $n - 1], [17, 18, 19],
                    [0 .. $n - 1], [map { $_ * 2 } 0 .. $n / 2])
    {
        my %forged = map { $_ => 1 } @$forged;
        my @lines = map { ($forged{$_} ? 'X-Passport' : "X-$_") . ": v$_\n" }
                        0 .. $n - 1;

        push @crowds, join('', @lines);
        push @survivors, join('', grep { !/Passport/ } @lines);
    }
}

# what the upstream saw, without what nginx puts in front

sub rest {
    return shift =~ s/\A.*\n//r =~ s/^(?:Host|Connection): .*\n//mgr;
}


# of what is echoed: how many seconds before the credential the passport ends

sub ends_before {
    my $exp = shift;

    return sub {
        my ($body) = shift =~ /^X-Passport: [^.]+\.([^.]+)\./m
            or return 'no passport';
        my $claims = MIME::Base64::decode_base64url($body);

        return $exp - JSON::PP::decode_json($claims)->{exp};
    };
}


# four claims, escaped to twice their lengths

sub too_large {
    my ($sub, $scope, $tier, $azp) = map { '"' x $_ } 255, 1024, 64, 255;

    return token(claims => { sub => $sub, scope => $scope, tier => $tier,
                             azp => $azp });
}

run_tests();

__DATA__

=== TEST 1: a passport for one audience
--- config
    location / {
        gw_auth      accounts;
        gw_passport  audience=orders;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request
GET /
--- more_headers eval
bearer(token())
--- response_body_filters eval
\&passports
--- response_body eval
json({ aud => 'orders', cli => 'web', iss => 'gateway', lvl => 'low',
       scope => 'orders:read orders:write', src => 'jwt', sub => 'alice',
       tier => 'gold', ttl => 60, ver => 1,
       header => { alg => 'ES256', kid => 'new', typ => 'passport+jwt' } })
. "\n"



=== TEST 2: several audiences, another issuer, another ttl
--- config
    location / {
        gw_auth      accounts;
        gw_passport  audience=billing,orders ttl=5m issuer=edge-1;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request
GET /
--- more_headers eval
bearer(token())
--- response_body_filters eval
\&passports
--- response_body eval
json({ aud => ['billing', 'orders'], cli => 'web', iss => 'edge-1',
       lvl => 'low', scope => 'orders:read orders:write', src => 'jwt',
       sub => 'alice', tier => 'gold', ttl => 300, ver => 1,
       header => { alg => 'ES256', kid => 'new', typ => 'passport+jwt' } })
. "\n"



=== TEST 3: what the token does not say is left out, any UTF-8 is kept
--- config
    location / {
        gw_auth      accounts;
        gw_passport  audience=orders;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request
GET /
--- more_headers eval
bearer(token(key => 'ed', claims => {
    sub => "alice \"\\/\x{e9}\x{1f600}", tier => undef, scope => '',
    azp => undef,
}))
--- response_body_filters eval
\&passports
--- response_body eval
json({ aud => 'orders', iss => 'gateway', lvl => 'low', src => 'jwt',
       sub => "alice \"\\/\x{e9}\x{1f600}", ttl => 60, ver => 1,
       header => { alg => 'ES256', kid => 'new', typ => 'passport+jwt' } })
. "\n"



=== TEST 4: for another audience it is refused
--- config
    location / {
        gw_auth      accounts;
        gw_passport  audience=orders2;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request
GET /
--- more_headers eval
bearer(token())
--- response_body_filters eval
\&passports
--- response_body_like: \Arefused: InvalidAudienceError



=== TEST 5: over TLS the level is high
--- http_config
    gw_auth_provider accounts {
        issuer    https://accounts.test;
        audience  gateway;
        jwks      file=$TEST_NGINX_KEYS/jwks.json;
    }

    gw_passport_key  new $TEST_NGINX_KEYS/passport.pem;

    server {
        listen               127.0.0.1:$TEST_NGINX_RAND_PORT_1 ssl;
        ssl_certificate      $TEST_NGINX_HTML/cert.pem;
        ssl_certificate_key  $TEST_NGINX_KEYS/ec.pem;

        gw_auth      accounts;
        gw_passport  audience=orders;

        location / {
            proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        }
    }
--- user_files eval
[["cert.pem", certificate("$ENV{TEST_NGINX_KEYS}/ec.pem")]]
--- config
    location / {
        proxy_pass  https://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- request
GET /
--- more_headers eval
bearer(token())
--- response_body_filters eval
\&passports
--- response_body_like: "lvl":"high"



=== TEST 6: it ends with the credential
--- config
    location / {
        gw_auth      accounts;
        gw_passport  audience=orders ttl=5m;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request
GET /
--- more_headers eval
$::exp = time() + 250;
bearer(token(claims => { exp => $::exp }))
--- response_body_filters eval
::ends_before($::exp)
--- response_body chomp
0



=== TEST 7: of a credential in its leeway it is still good, but not longer
--- http_config
    gw_auth_provider accounts {
        issuer    https://accounts.test;
        audience  gateway;
        leeway    5m;
        jwks      file=$TEST_NGINX_KEYS/jwks.json;
    }

    gw_passport_key  new $TEST_NGINX_KEYS/passport.pem;
--- config
    location / {
        gw_auth      accounts;
        gw_passport  audience=orders ttl=5m;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /", "GET /"]
--- more_headers eval
$::exp = time() - 20;
[(bearer(token(claims => { exp => $::exp }))) x 2]
--- error_code eval
[200, 200]
--- response_body_filters eval
[[::ends_before($::exp)], [\&passports]]
--- response_body_like eval
['\A-300\z', '"sub":"alice"']



=== TEST 8: claims that no passport holds
--- config
    location / {
        gw_auth      accounts;
        gw_passport  audience=orders;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- token eval
::too_large()
--- reason
bad_claim



=== TEST 9: each request has a passport of its own
--- config
    location / {
        gw_auth      accounts;
        gw_passport  audience=orders;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- pipelined_requests eval
["GET /a", "GET /b", "GET /c", "GET /d"]
--- more_headers eval
[bearer(token(claims => { sub => 'carol' })), "",
 bearer(token(key => 'ec', claims => { sub => 'dave' })),
 bearer(token(key => 'forged'))]
--- error_code eval
[200, 401, 200, 401]
--- response_body_filters eval
[[\&passports], [], [\&passports], []]
--- response_body_like eval
['"sub":"carol"', 'is required', '"sub":"dave"', 'is not valid']



=== TEST 10: $gw_passport is what the upstream gets
--- config
    location / {
        gw_auth      accounts;
        gw_passport  audience=orders;
        add_header   X-Same $same;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        proxy_set_header  X-Copy $gw_passport;
        proxy_set_header  X-Http $http_x_passport;
    }
--- http_config eval
GWAuth::http_config() . 'map $http_x_passport:$gw_passport $same {
    "~^(?<p>.+):(?P=p)$" same;
    default other;
}'
--- request
GET /
--- more_headers eval
bearer(token())
--- response_headers
X-Same: same
--- response_body_filters eval
sub {
    my %h = shift =~ /^(\S+): (.*)$/gm;

    return $h{'X-Copy'} eq $h{'X-Passport'} && $h{'X-Http'} eq $h{'X-Copy'}
           ? 'same' : 'other';
}
--- response_body chomp
same



=== TEST 11: $http_x_passport that was asked for before
--- config
    set  $before $http_x_passport;

    location / {
        gw_auth      accounts;
        gw_passport  audience=orders;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        proxy_set_header  X-Before "<$before>";
        proxy_set_header  X-Http $http_x_passport;
    }
--- request
GET /
--- more_headers eval
bearer(token()) . "X-Passport: forged\n"
--- response_body_filters eval
sub {
    my %h = shift =~ /^(\S+): (.*)$/gm;

    return "$h{'X-Before'} " . ($h{'X-Http'} eq $h{'X-Passport'});
}
--- response_body chomp
<> 1



=== TEST 12: the credential is not forwarded
--- config
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /optional {
        gw_auth     accounts optional;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /explicit {
        set               $before $http_authorization;
        gw_auth           accounts;
        proxy_pass        http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        proxy_set_header  Authorization $http_authorization;
        proxy_set_header  X-User "<$remote_user>";
    }
    location /off {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /", "GET /optional", "GET /explicit", "GET /optional", "GET /off",
 "GET /off"]
--- more_headers eval
my $b = "Authorization: Basic YWxpY2U6c2VjcmV0\n";
[(bearer(token())) x 3, $b, $b, bearer('a.b.c')]
--- error_code eval
[(200) x 6]
--- response_body_filters eval
header_lines('(Authorization|X-User)')
--- response_body eval
my $b = "Authorization: Basic YWxpY2U6c2VjcmV0\n";
["", "", "X-User: <>\n", $b, $b, "Authorization: Bearer a.b.c\n"]



=== TEST 13: gw_passport is inherited, replaced, and off
--- http_config eval
GWAuth::http_config() . 'gw_passport audience=orders,http;'
--- config
    gw_auth  accounts;

    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /own {
        gw_passport  audience=orders,own;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /off {
        gw_passport  off;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /auth-off {
        gw_auth     off;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /optional {
        gw_auth     accounts optional;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /", "GET /own", "GET /off", "GET /auth-off", "GET /optional",
 "GET /optional"]
--- more_headers eval
[(bearer(token())) x 5, ""]
--- error_code eval
[(200) x 6]
--- response_body_filters eval
\&passports
--- response_body_like eval
['"aud":\["orders","http"\]', '"aud":\["orders","own"\]', '\Ano passport$',
 '\Ano passport$', '"aud":\["orders","http"\]', '\Ano passport$']



=== TEST 14: clients' X-Passport with auth on, optional, and off
--- config
    gw_passport  audience=orders;

    location /on {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /optional {
        gw_auth     accounts optional;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /off {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
[map { ("GET $_") x 3 } qw(/on /optional /optional /off /off)]
--- more_headers eval
my @forged = ("X-Passport: a\n", "x-passport: b\n",
              "X-PASSPORT: a\nX-Passport:\nx-PassPort: c\n");
my $good = bearer(token());
[(map { $_ . $good } @forged), (map { $good . $_ } @forged), @forged,
 (map { $_ . $good } @forged), @forged]
--- error_code eval
[(200) x 15]
--- response_body_filters eval
\&passports
--- response_body_like eval
[('"sub":"alice"') x 6, ('\Ano passport$') x 9]



=== TEST 15: with underscores_in_headers on
--- config
    underscores_in_headers  on;

    gw_passport  audience=orders;

    location /on {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /off {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /on", "GET /off"]
--- more_headers eval
my $h = "X_Passport: a\nx_passport: b\nX-Passport: c\nX_PASSPORT: d\n";
[bearer(token()) . $h, $h]
--- error_code eval
[200, 200]
--- response_body_filters eval
header_lines('X.Passport')
--- response_body_like eval
['\AX-Passport: [\w-]+\.[\w-]+\.[\w-]+\n\z', '\A\z']



=== TEST 16: with ignore_invalid_headers off
--- config
    ignore_invalid_headers  off;

    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request
GET /
--- more_headers eval
CORE::join '', map { "X${_}Passport: v\n" }
    qw(. ~ ! _ - * + ^ ` | % & '), '$', '#', '/', '(', '"', "\x80", "\xff"
--- response_body_filters eval
header_lines('X.Passport')
--- response_body



=== TEST 17: other names are left alone
--- config
    ignore_invalid_headers  off;

    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request
GET /
--- more_headers
XPassport: 1
X-Passport2: 2
X-Passpor: 3
X--Passport: 4
Y-Passport: 5
X-Pass-port: 6
X1Passport: 7
X-Passport.: 8
Passport: 9
--- response_body_filters eval
\&::rest
--- response_body
XPassport: 1
X-Passport2: 2
X-Passpor: 3
X--Passport: 4
Y-Passport: 5
X-Pass-port: 6
X1Passport: 7
X-Passport.: 8
Passport: 9



=== TEST 18: anywhere among many headers, auth off
--- config
    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
[("GET /") x @::crowds]
--- more_headers eval
\@::crowds
--- error_code eval
[(200) x @::crowds]
--- response_body_filters eval
\&::rest
--- response_body eval
\@::survivors



=== TEST 19: anywhere among many headers, auth on
--- config
    location / {
        gw_auth      accounts;
        gw_passport  audience=orders;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
[("GET /") x @::crowds]
--- more_headers eval
my $h = bearer(token());
[map { $_ % 2 ? $h . $::crowds[$_] : $::crowds[$_] . $h } 0 .. $#::crowds]
--- error_code eval
[(200) x @::crowds]
--- response_body_filters eval
sub { ::rest(@_) =~ s/^(X-Passport: )[\w-]+\.[\w-]+\.[\w-]+$/$1ours/mr }
--- response_body eval
[map { $_ . "X-Passport: ours\n" } @::survivors]



=== TEST 20: nginx still finds the headers it knows
--- config
    location / {
        gw_auth      accounts;
        gw_passport  audience=orders;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        proxy_set_header  X-Seen "$host|$http_user_agent|$http_cookie|$cookie_b|$http_x_forwarded_for|$http_referer|$content_type|$http_accept";
        proxy_set_header  X-Forwarded-For $proxy_add_x_forwarded_for;
    }
--- raw_request eval
"GET / HTTP/1.1\r
X-Passport: 1\r
Host: orders.test\r
X-Passport: 2\r
User-Agent: agent\r
Cookie: a=1\r
X-Passport: 3\r
Cookie: b=2\r
X-Forwarded-For: 192.0.2.1\r
X-Passport: 4\r
X-Forwarded-For: 192.0.2.2\r
Referer: ref\r
Content-Type: text/x\r
Accept: everything\r
X-A: 1\r
X-B: 2\r
X-C: 3\r
X-D: 4\r
X-E: 5\r
X-F: 6\r
X-G: 7\r
X-Passport: 5\r
" . bearer(token()) =~ s/\n/\r\n/r . "X-Passport: 6\r
Connection: close\r
X-Last: 8\r
X-Passport: 7\r
\r
"
--- response_body_filters eval
sub {
    ::rest(@_) =~ s/^(X-Passport: )[\w-]+\.[\w-]+\.[\w-]+$/$1ours/mr
        =~ s/127.0.0.1$/ADDR/mr;
}
--- response_body_like eval
'\AX-Seen: orders\.test\|agent\|a=1; b=2\|2\|'
. '192\.0\.2\.1, 192\.0\.2\.2\|ref\|text/x\|everything
X-Forwarded-For: 192\.0\.2\.1, 192\.0\.2\.2, ADDR
User-Agent: agent
Cookie: a=1
Cookie: b=2
Referer: ref
Content-Type: text/x
Accept: everything
X-A: 1
X-B: 2
X-C: 3
X-D: 4
X-E: 5
X-F: 6
X-G: 7
X-Last: 8
X-Passport: ours
\z'



=== TEST 21: parts of the list that hold nothing else
--- config
    location / {
        gw_auth      accounts;
        gw_passport  audience=orders;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- raw_request eval
"GET / HTTP/1.1\r\n" . "X-Passport: forged\r\n" x 20
. "Host: localhost\r\nX-A: 1\r\n" . "X-Passport: forged\r\n" x 38
. bearer(token()) =~ s/\n/\r\n/r . "X-B: 2\r\nConnection: close\r\n"
. "X-Passport: forged\r\n" x 60 . "\r\n"
--- response_body_filters eval
sub { ::rest(@_) =~ s/^(X-Passport: )[\w-]+\.[\w-]+\.[\w-]+$/$1ours/mr }
--- response_body
X-A: 1
X-B: 2
X-Passport: ours



=== TEST 22: a first part that holds nothing else, of two
--- config
    location / {
        gw_auth      accounts;
        gw_passport  audience=orders;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- raw_request eval
"GET / HTTP/1.1\r\n" . "X-Passport: forged\r\n" x 20
. "Host: localhost\r\nX-A: 1\r\n"
. bearer(token()) =~ s/\n/\r\n/r . "X-B: 2\r\nConnection: close\r\n\r\n"
--- response_body_filters eval
sub { ::rest(@_) =~ s/^(X-Passport: )[\w-]+\.[\w-]+\.[\w-]+$/$1ours/mr }
--- response_body
X-A: 1
X-B: 2
X-Passport: ours



=== TEST 23: no other header at all
--- config
    location / {
        gw_auth      accounts optional;
        gw_passport  audience=orders;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- raw_request eval
"GET / HTTP/1.0\r\nX-Passport: forged\r\n\r\n"
--- response_body_filters eval
\&::rest
--- response_body



=== TEST 24: other protocols of upstreams
--- config
    underscores_in_headers  on;
    ignore_invalid_headers  off;

    gw_auth      accounts optional;
    gw_passport  audience=orders;

    location /fastcgi {
        fastcgi_pass   127.0.0.1:$TEST_NGINX_UPSTREAM;
        fastcgi_param  REQUEST_METHOD $request_method;
    }
    location /uwsgi {
        uwsgi_pass   127.0.0.1:$TEST_NGINX_UPSTREAM;
        uwsgi_param  REQUEST_METHOD $request_method;
    }
    location /scgi {
        scgi_pass   127.0.0.1:$TEST_NGINX_UPSTREAM;
        scgi_param  REQUEST_METHOD $request_method;
    }
--- request eval
[map { ("GET $_", "GET $_") } qw(/fastcgi /uwsgi /scgi)]
--- more_headers eval
my $h = "X-Passport: a\nX_Passport: b\nX.Passport: c\nX-Other: d\n";
[($h, $h . bearer(token())) x 3]
--- error_code eval
[(200) x 6]
--- response_body_filters eval
sub {
    my $body = shift;

    return "@{[ $body =~ /^HTTP_X_OTHER=d$/mg ]} "
           . "@{[ $body =~ /AUTHORIZATION/g ]} " . passports($body);
}
--- response_body_like eval
[('HTTP_X_OTHER=d  no passport', 'HTTP_X_OTHER=d  \{.*"sub":"alice"') x 3]



=== TEST 25: gRPC, and HTTP/2 from the client
--- http_config eval
GWAuth::http_config() . '
    server {
        listen  127.0.0.1:$TEST_NGINX_RAND_PORT_1 http2;

        underscores_in_headers  on;
        gw_auth                 accounts optional;
        gw_passport             audience=orders;

        location / {
            grpc_pass  grpc://127.0.0.1:$TEST_NGINX_H2;
        }
    }
'
--- config
    location / {
        grpc_pass        grpc://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        grpc_set_header  X-Passport first;
        grpc_set_header  x_passport second;
    }
--- request eval
["GET /", "GET /"]
--- more_headers eval
["X-Other: d", "X-Other: d\n" . bearer(token())]
--- error_code eval
[200, 200]
--- response_body_filters eval
sub {
    my $body = shift;

    return "@{[ $body =~ /^X-Other: d$/img ]} "
           . "@{[ $body =~ /AUTHORIZATION/ig ]} " . passports($body);
}
--- response_body_like eval
['x-other: d  no passport', 'x-other: d  \{.*"sub":"alice"']
--- error_log
client sent 2 headers that carry passports, removed



=== TEST 26: what was removed is counted in the log, and not shown
--- config
    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request
GET /
--- more_headers
X-Passport: secret-a
x-passport: secret-b
X-Passport:
--- error_log
client sent 3 headers that carry passports, removed
--- no_error_log
secret
[error]
