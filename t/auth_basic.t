# Copyright (C) The nginx gateway modules authors

# What gw_auth lets in, what it asks for, and what the variables say.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GWAuth;


# a PEM file with public keys of all kinds

our $pem = join '', map { file($_) }
    map { public_key($_) }
        user_key('p384', '-algorithm', 'EC', '-pkeyopt',
                 'ec_paramgen_curve:P-384'),
        user_key('p521', '-algorithm', 'EC', '-pkeyopt',
                 'ec_paramgen_curve:P-521'),
        map { "$ENV{TEST_NGINX_KEYS}/$_.pem" } qw(rsa ec ed);

our $certificate = certificate("$ENV{TEST_NGINX_KEYS}/ec.pem");

# every variable, as the client may see them in these tests only

our $show = 'add_header X-Who "$gw_auth_provider,$gw_subject,$gw_tier,'
            . '$gw_scope,$gw_client,$gw_auth_degraded,$gw_auth_status" '
            . "always;\n";

# the first one of the page, without what Test::Nginx writes itself

our ($example) = file('docs/ngx_http_gw_auth_module.md')
                     =~ /^http \{\n(.*?)^\}/ms;

$example =~ s/listen +8080/listen 127.0.0.1:\$TEST_NGINX_RAND_PORT_1/;
$example =~ s/127\.0\.0\.1:8081/127.0.0.1:\$TEST_NGINX_UPSTREAM/;

run_tests();


sub gw_token {
    my ($alg, $key, $issuer) = @_;

    my $tool = "$ENV{TEST_NGINX_BIN}/gw-token";

    return '' if !-x $tool;

    open(my $fh, '-|', $tool, '--alg', $alg,
         '--key', "$ENV{TEST_NGINX_KEYS}/$key", '--exp', '+3600',
         '--claim', "iss=https://$issuer.test", '--claim', 'aud=gateway',
         '--claim', 'sub=alice') or die "$tool: $!\n";

    my $token = <$fh>;
    close($fh) or die "$tool failed\n";
    chomp $token;

    return $token;
}

__DATA__

=== TEST 1: RS256, ES256 and EdDSA tokens pass
--- config
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /a", "GET /b", "GET /c"]
--- more_headers eval
[map { bearer(token(key => $_)) } qw(rsa ec ed)]
--- error_code eval
[200, 200, 200]
--- response_body_like eval
[map { "\\AGET /$_ " } qw(a b c)]



=== TEST 2: HS256 passes, if the provider allows it
--- http_config
    gw_auth_provider partners {
        issuer      https://accounts.test;
        audience    gateway;
        algorithms  HS256;
        jwks        file=$TEST_NGINX_KEYS/hs.jwks.json;
    }
--- config
    location / {
        gw_auth     partners;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request
GET /
--- more_headers eval
bearer(token(key => 'hs'))
--- response_body_like: \AGET / HTTP



=== TEST 3: all asymmetric algorithms, keys in PEM without names
--- http_config
    gw_auth_provider accounts {
        issuer      https://accounts.test;
        audience    gateway;
        algorithms  RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512
                    EdDSA;
        jwks        file=$TEST_NGINX_HTML/keys.pem;
    }
--- config
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- user_files eval
[["keys.pem", $::pem]]
--- request eval
[("GET /") x 10]
--- more_headers eval
[
    (map { bearer(token(alg => $_, header => { alg => $_ })) }
     qw(RS256 RS384 RS512 PS256 PS384 PS512)),
    bearer(token(key => 'ec', header => { kid => undef })),
    (map { bearer(token(key => user_key($_->[0]), alg => $_->[1],
                        header => { alg => $_->[1], kid => undef })) }
     ['p384', 'ES384'], ['p521', 'ES512']),
    bearer(token(key => 'ed')),
]
--- error_code eval
[(200) x 10]



=== TEST 4: the key of a certificate
--- http_config
    gw_auth_provider accounts {
        issuer    https://accounts.test;
        audience  gateway;
        jwks      file=$TEST_NGINX_HTML/cert.pem;
    }
--- config
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- user_files eval
[["cert.pem", $::certificate]]
--- request
GET /
--- more_headers eval
bearer(token(key => 'ec'))



=== TEST 5: tokens made by libjwt
--- skip_eval: 12: !-x "$ENV{TEST_NGINX_BIN}/gw-token"
--- http_config
    gw_auth_provider accounts {
        issuer    https://accounts.test;
        audience  gateway;
        jwks      file=$TEST_NGINX_KEYS/jwks.json;
        subject   shared;
    }
    gw_auth_provider partners {
        issuer      https://partners.test;
        audience    gateway;
        algorithms  HS256;
        jwks        file=$TEST_NGINX_KEYS/hs.jwks.json;
        subject     shared;
    }
--- config
    location / {
        gw_auth     accounts partners;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /", "GET /", "GET /"]
--- more_headers eval
[map { bearer(::gw_token(@$_)) }
     ['RS256', 'rsa.pem', 'accounts'], ['ES256', 'ec.pem', 'accounts'],
     ['HS256', 'hs.key', 'partners']]
--- error_code eval
[200, 200, 200]



=== TEST 6: no credential
--- config
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
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
--- error_log
gw auth: refused: missing,



=== TEST 7: the id in the body is that of the access log
--- http_config
    log_format  id $request_id;

    gw_auth_provider accounts {
        issuer    https://accounts.test;
        audience  gateway;
        jwks      file=$TEST_NGINX_KEYS/jwks.json;
    }
--- config
    access_log  logs/id.log id;

    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request
GET /
--- error_code: 401
--- response_body_filters eval
sub {
    my ($id) = shift =~ /"request_id":"([0-9a-f]{32})"/;

    return "$id\n" eq file(main::server_root() . "/logs/id.log") ? "same" : "other";
}
--- response_body chomp
same



=== TEST 8: the case of "bearer", and blanks behind it, do not matter
--- config
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /", "GET /", "GET /", "GET /"]
--- more_headers eval
my $token = token();
["authorization: bearer $token", "AUTHORIZATION: BEARER $token",
 "Authorization: bEaReR $token", "Authorization:   Bearer    $token   "]
--- error_code eval
[200, 200, 200, 200]



=== TEST 9: other schemes are no credential
--- config
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
[("GET /") x 5]
--- more_headers eval
my $token = token();
["Authorization: Basic YWxpY2U6c2VjcmV0", "Authorization: BearerX $token",
 "Authorization: $token", "Authorization: Beare", "Authorization:"]
--- error_code eval
[(401) x 5]
--- response_headers eval
[('WWW-Authenticate: Bearer realm="gateway"') x 5]



=== TEST 10: "Bearer" without a token, or with a tab, is a bad token
--- config
    location / {
        gw_auth     accounts optional;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /", "GET /", "GET /", "GET /"]
--- more_headers eval
["Authorization: Bearer", "Authorization: Bearer  ",
 "Authorization: Bearer\t" . token(), "Authorization: Bearer \t" . token()]
--- error_code eval
[401, 401, 401, 401]
--- response_headers eval
[('WWW-Authenticate: Bearer realm="gateway", error="invalid_token"') x 4]
--- error_log
gw auth: refused: malformed,



=== TEST 11: two Authorization lines, whatever they say
--- config
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /", "GET /", "GET /"]
--- more_headers eval
my $h = "Authorization: Basic Og==\n";
[$h . $h, "authorization: Bearer a.b.c\n" . $h, bearer("a.b.c") . bearer("")]
--- error_code eval
[400, 400, 400]



=== TEST 12: gw_auth off, as by default, looks at nothing
--- config
    location /off {
        gw_auth     off;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        include     $TEST_NGINX_HTML/show;
    }
    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        include     $TEST_NGINX_HTML/show;
    }
--- user_files eval
[["show", $::show]]
--- request eval
["GET /off", "GET /default", "GET /off"]
--- more_headers eval
[bearer('a.b.c'), bearer('a.b.c'), "Authorization: Basic YWxpY2U6c2VjcmV0"]
--- error_code eval
[200, 200, 200]
--- response_headers eval
[("X-Who: ,,,,,,") x 3]
--- response_body_filters eval
header_lines('Authorization')
--- response_body eval
[("Authorization: Bearer a.b.c\n") x 2,
 "Authorization: Basic YWxpY2U6c2VjcmV0\n"]



=== TEST 13: optional: nobody may pass, a bad token may not
--- config
    location / {
        gw_auth     accounts optional;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        include     $TEST_NGINX_HTML/show;
    }
--- user_files eval
[["show", $::show]]
--- request eval
[("GET /") x 5]
--- more_headers eval
["", bearer(token()), bearer(expired()), bearer(""),
 "Authorization: Basic YWxpY2U6c2VjcmV0"]
--- error_code eval
[200, 200, 401, 401, 200]
--- response_headers eval
["X-Who: ,,,,,,missing",
 "X-Who: accounts,alice,gold,orders:read orders:write,web,0,ok",
 "X-Who: ,,,,,,expired",
 "X-Who: ,,,,,,malformed",
 "X-Who: ,,,,,,missing"]



=== TEST 14: gw_auth is inherited and replaced
--- http_config
    gw_auth_provider accounts {
        issuer    https://accounts.test;
        audience  gateway;
        jwks      file=$TEST_NGINX_KEYS/jwks.json;
    }
    gw_auth  accounts;
--- config
    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;

        location /outer/off {
            gw_auth     off;
            proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        }

        location /outer/optional {
            gw_auth     accounts optional;
            proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;

            location /outer/optional/inner {
                proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
            }
        }
    }
    location /if {
        if ($arg_x) {
            proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        }
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /limit {
        limit_except GET {
            deny  all;
        }
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /", "GET /outer/off", "GET /outer/optional", "GET /outer/optional/inner",
 "GET /if", "GET /if?x=1", "GET /limit", "POST /limit\nx"]
--- error_code eval
[401, 200, 200, 200, 401, 401, 401, 401]



=== TEST 15: every method is checked, also OPTIONS
--- config
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
[map { ("$_ /", "$_ /") } qw(OPTIONS POST PUT DELETE PATCH PROPFIND)]
--- more_headers eval
[("", bearer(token())) x 6]
--- error_code eval
[(401, 200) x 6]



=== TEST 16: HEAD is answered like GET, without the body
--- config
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["HEAD /", "HEAD /"]
--- more_headers eval
["", bearer(token())]
--- error_code eval
[401, 200]
--- response_headers eval
["Content-Type: application/problem+json\nContent-Length: 143", ""]
--- response_body eval
["", ""]



=== TEST 17: a body is read, the connection stays usable
--- config
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- pipelined_requests eval
["POST /\n" . "x" x 3000, "GET /second"]
--- more_headers eval
["", bearer(token())]
--- error_code eval
[401, 200]
--- response_body_like eval
["A credential is required", "\\AGET /second"]



=== TEST 18: claims of other names
--- http_config
    gw_auth_provider accounts {
        issuer    https://accounts.test;
        audience  gateway;
        jwks      file=$TEST_NGINX_KEYS/jwks.json;
        claims    tier=https://accounts.test/plan scope=scp;
        subject   prefix=acme:;
    }
--- config
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        include     $TEST_NGINX_HTML/show;
    }
--- user_files eval
[["show", $::show]]
--- request eval
["GET /", "GET /", "GET /"]
--- more_headers eval
[map { bearer(token(claims => { tier => undef, scope => undef, azp => undef,
                                %$_ })) }
    { 'https://accounts.test/plan' => 'free', scp => ['a', 'b:c'],
      client_id => 'cli' },
    { tier => 'gold', scope => 'all' },
    { 'https://accounts.test/plan' => undef, azp => '', client_id => '' }]
--- error_code eval
[200, 200, 200]
--- response_headers eval
["X-Who: accounts,acme:alice,free,a b:c,cli,0,ok",
 "X-Who: accounts,acme:alice,,,,0,ok", "X-Who: accounts,acme:alice,,,,0,ok"]



=== TEST 19: $gw_claim_NAME by type
--- config
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        add_header  X-Claims "$gw_claim_text|$gw_claim_int|$gw_claim_true|$gw_claim_false|$gw_claim_list|$gw_claim_object|$gw_claim_real|$gw_claim_null|$gw_claim_none|$gw_claim_empty|$gw_claim_spaced|$gw_claim_sub|$gw_claim_camelcase|$gw_claim_control|${gw_claim_text}x";
    }
--- request
GET /
--- more_headers eval
bearer(token(claims => {
    text => "t\xe9x t\"\\", int => -12, true => JSON::PP::true,
    false => JSON::PP::false, list => ['a', 'b'], object => { a => 1 },
    real => 1.5, null => JSON::PP::null, empty => '', spaced => ['a b', 'c'],
    camelCase => 'x', control => "a\r\nX-Evil: 1",
}))
--- response_headers eval
"X-Claims: t\xc3\xa9x t\"\\|-12|true|false|a b|||||||alice|||t\xc3\xa9x t\"\\x"



=== TEST 20: a claim as long as tokens may be
--- config
    client_header_buffer_size  32k;

    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        add_header  X-Claim "$gw_claim_long";
    }
--- request
GET /
--- more_headers eval
bearer(token(claims => { long => "x" x 8000 }))
--- response_headers eval
"X-Claim: " . "x" x 8000



=== TEST 21: nothing is known of a token that was refused, nor without one
--- config
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        add_header  X-Claims "$gw_claim_sub,$gw_claim_iss,$gw_passport" always;
        include     $TEST_NGINX_HTML/show;
    }
--- user_files eval
[["show", $::show]]
--- request eval
["GET /", "GET /", "GET /"]
--- more_headers eval
["", bearer(expired()), bearer(token(key => 'forged'))]
--- error_code eval
[401, 401, 401]
--- response_headers eval
["X-Claims: ,,\nX-Who: ,,,,,,missing",
 "X-Claims: ,,\nX-Who: ,,,,,,expired",
 "X-Claims: ,,\nX-Who: ,,,,,,unknown_key"]



=== TEST 22: the variables in a log, absent ones as "-"
--- http_config
    log_format  who '$uri $gw_auth_provider,$gw_subject,$gw_tier,$gw_scope,'
                    '$gw_client,$gw_auth_degraded,$gw_auth_status,'
                    '$gw_claim_iss,$gw_passport';

    gw_auth_provider accounts {
        issuer    https://accounts.test;
        audience  gateway;
        jwks      file=$TEST_NGINX_KEYS/jwks.json;
    }
--- config
    access_log  logs/access.log who;

    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /off {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /a", "GET /b", "GET /off"]
--- more_headers eval
[bearer(token(claims => { azp => undef })), "", ""]
--- error_code eval
[200, 401, 200]
--- logged
/a accounts,alice,gold,orders:read orders:write,-,0,ok,https://accounts.test,-
/b -,-,-,-,-,-,missing,-,-
/off -,-,-,-,-,-,-,-,-



=== TEST 23: a value that was asked for before authentication does not stick
--- http_config
    map $gw_subject $somebody {
        ""       nobody;
        default  somebody;
    }

    gw_auth_provider accounts {
        issuer    https://accounts.test;
        audience  gateway;
        jwks      file=$TEST_NGINX_KEYS/jwks.json;
    }
--- config
    set  $before "$gw_subject/$gw_claim_sub";

    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        add_header  X-Who "$before $gw_subject $gw_claim_sub $somebody";

        if ($gw_subject) {
            add_header  X-Who "if";
            proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        }
    }
--- request
GET /
--- more_headers eval
bearer(token())
--- response_headers
X-Who: / alice alice somebody



=== TEST 24: the issuer decides about the provider, which has to be listed
--- http_config
    gw_auth_provider accounts {
        issuer    https://accounts.test;
        audience  gateway;
        jwks      file=$TEST_NGINX_KEYS/rsa.jwks.json;
        subject   prefix=a:;
    }
    gw_auth_provider partners {
        issuer    https://partners.test;
        audience  gateway;
        jwks      file=$TEST_NGINX_KEYS/ec.jwks.json;
        subject   prefix=p:;
    }
--- config
    include  $TEST_NGINX_HTML/show;

    location / {
        gw_auth     accounts partners;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /accounts {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- user_files eval
[["show", $::show]]
--- request eval
["GET /", "GET /", "GET /", "GET /accounts", "GET /accounts"]
--- more_headers eval
my $a = bearer(token());
my $p = bearer(token(key => 'ec', claims => { iss => 'https://partners.test' }));
my $o = bearer(token(claims => { iss => 'https://other.test' }));
[$a, $p, $o, $a, $p]
--- error_code eval
[200, 200, 401, 200, 401]
--- response_headers eval
["X-Who: accounts,a:alice,gold,orders:read orders:write,web,0,ok",
 "X-Who: partners,p:alice,gold,orders:read orders:write,web,0,ok",
 "X-Who: ,,,,,,wrong_issuer",
 "X-Who: accounts,a:alice,gold,orders:read orders:write,web,0,ok",
 "X-Who: ,,,,,,wrong_issuer"]



=== TEST 25: audiences, one of several on both sides
--- http_config
    gw_auth_provider accounts {
        issuer    https://accounts.test;
        audience  gateway api;
        jwks      file=$TEST_NGINX_KEYS/jwks.json;
    }
--- config
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
[("GET /") x 9]
--- more_headers eval
[map { bearer(token(claims => { aud => $_ })) }
 'gateway', 'api', ['web', 'api'], 'web', 'gateway2', 'gatewa', [], undef,
 ['gateway', 1]]
--- error_code eval
[200, 200, 200, 401, 401, 401, 401, 401, 401]



=== TEST 26: audience off
--- http_config
    gw_auth_provider accounts {
        issuer    https://accounts.test;
        audience  off;
        jwks      file=$TEST_NGINX_KEYS/jwks.json;
    }
--- config
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /", "GET /"]
--- more_headers eval
[map { bearer(token(claims => { aud => $_ })) } 'web', undef]
--- error_code eval
[200, 200]



=== TEST 27: exp, nbf and iat within the leeway
--- http_config
    gw_auth_provider accounts {
        issuer    https://accounts.test;
        audience  gateway;
        leeway    5m;
        jwks      file=$TEST_NGINX_KEYS/jwks.json;
    }
--- config
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
[("GET /") x 4]
--- more_headers eval
[map { bearer(token(claims => $_)) }
 { exp => time() - 30 }, { nbf => time() + 250 }, { iat => time() + 250 },
 { exp => time() + 600.5, nbf => time() - 600.5 }]
--- error_code eval
[200, 200, 200, 200]



=== TEST 28: leeway 0
--- http_config
    gw_auth_provider accounts {
        issuer    https://accounts.test;
        audience  gateway;
        leeway    0;
        jwks      file=$TEST_NGINX_KEYS/jwks.json;
    }
--- config
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /", "GET /"]
--- more_headers eval
[map { bearer(token(claims => $_)) }
 { exp => time() - 1, iat => time() - 60 }, { iat => time() - 60 }]
--- error_code eval
[401, 200]



=== TEST 29: types of token that are accepted
--- config
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
[("GET /") x 5]
--- more_headers eval
[map { bearer(token(header => { typ => $_ })) }
 undef, 'jwt', 'at+jwt', 'AT+JWT', 'application/at+jwt']
--- error_code eval
[(200) x 5]



=== TEST 30: over HTTP/2
--- http_config
    gw_auth_provider accounts {
        issuer    https://accounts.test;
        audience  gateway;
        jwks      file=$TEST_NGINX_KEYS/jwks.json;
    }
    server {
        listen   127.0.0.1:$TEST_NGINX_RAND_PORT_1 http2;
        gw_auth  accounts;

        location / {
            proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        }
    }
--- config
    location / {
        grpc_pass  grpc://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- request eval
["GET /", "GET /"]
--- more_headers eval
["", bearer(token())]
--- error_code eval
[401, 200]
--- response_body_like eval
["A credential is required", "\\AGET / "]



=== TEST 31: the example of the documentation
--- http_config eval
$::example
--- config
    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    }
--- user_files eval
[["../conf/accounts.jwks.json", file('rsa.jwks.json')],
 ["../conf/passport-2026-11.pem", file('passport.pem')]]
--- request eval
["GET /orders/1", "GET /orders/1", "GET /.well-known/jwks.json"]
--- more_headers eval
["", bearer(token(claims => { iss => 'https://accounts.example.com',
                              plan => 'gold' })), ""]
--- error_code eval
[401, 200, 200]
--- response_body_like eval
["is required", "\\AGET /orders/1 ", '"kid":"2026-11"']
