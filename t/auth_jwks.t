# Copyright (C) The nginx gateway modules authors

# gw_passport_jwks: the keys that verify passports, for upstreams.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GWAuth;


our $config = <<'END';
    location = /jwks {
        gw_passport_jwks;
    }
END

# the coordinates of a key, by another way than the module's

sub jwk {
    my ($kid, $name) = @_;

    my ($jwk) = @{JSON::PP::decode_json(file("$name.jwks.json"))->{keys}};

    return { kty => 'EC', crv => 'P-256', x => $jwk->{x}, y => $jwk->{y},
             use => 'sig', alg => 'ES256', kid => $kid };
}


sub canonical {
    return json(JSON::PP::decode_json(shift)) . "\n";
}

run_tests();

__DATA__

=== TEST 1: two keys, the one that signs first
--- config eval
$::config
--- request
GET /jwks
--- response_headers
Content-Type: application/jwk-set+json
Cache-Control: public, max-age=300
--- response_body_filters eval
\&::canonical
--- response_body eval
json({ keys => [::jwk('new', 'passport'), ::jwk('old', 'passport-old')] })
. "\n"



=== TEST 2: nothing private is shown
--- config eval
$::config
--- request
GET /jwks
--- response_body_unlike: "d"



=== TEST 3: one key, whose name needs escapes
--- config eval
$::config
--- http_config
    gw_passport_key  "a\"b/\\c ü" $TEST_NGINX_KEYS/passport.pem;
--- request
GET /jwks
--- response_body_filters eval
\&::canonical
--- response_body eval
json({ keys => [::jwk("a\"b/\\c \x{fc}", 'passport')] }) . "\n"



=== TEST 4: many keys
--- config eval
$::config
--- http_config eval
CORE::join '', map { "gw_passport_key  k$_ \$TEST_NGINX_KEYS/passport.pem;\n" }
             1 .. 50
--- request
GET /jwks
--- response_body_filters eval
\&::canonical
--- response_body eval
json({ keys => [map { ::jwk("k$_", 'passport') } 1 .. 50] }) . "\n"



=== TEST 5: HEAD
--- config eval
$::config
--- request eval
["HEAD /jwks", "GET /jwks"]
--- error_code eval
[200, 200]
--- response_headers eval
[("Content-Type: application/jwk-set+json\nCache-Control: public, max-age=300
Content-Length: 341") x 2]
--- response_body_like eval
['\A\z', '\A\{"keys":\[\{']



=== TEST 6: other methods
--- config eval
$::config
--- request eval
["POST /jwks\nbody", "PUT /jwks\nbody", "DELETE /jwks", "OPTIONS /jwks"]
--- error_code eval
[405, 405, 405, 405]



=== TEST 7: a GET with a body
--- config eval
$::config
--- pipelined_requests eval
["GET /jwks\nbody", "GET /jwks"]
--- error_code eval
[200, 200]
--- response_body_like eval
[('\A\{"keys":\[\{') x 2]



=== TEST 8: keys in PKCS #8 and in SEC 1
--- config eval
$::config
--- http_config
    gw_passport_key  pkcs8 $TEST_NGINX_KEYS/passport.pem;
    gw_passport_key  sec1 $TEST_NGINX_HTML/sec1.pem;
--- user_files eval
[["sec1.pem", GWAuth::openssl('ec', '-in',
                              "$ENV{TEST_NGINX_KEYS}/passport.pem")]]
--- request
GET /jwks
--- response_body_filters eval
\&::canonical
--- response_body eval
json({ keys => [::jwk('pkcs8', 'passport'), ::jwk('sec1', 'passport')] })
. "\n"



=== TEST 9: behind gw_auth, and with deny
--- config
    location = /auth {
        gw_auth  accounts;
        gw_passport_jwks;
    }
    location = /deny {
        deny  all;
        gw_passport_jwks;
    }
--- request eval
["GET /auth", "GET /auth", "GET /deny"]
--- more_headers eval
["", bearer(token()), ""]
--- error_code eval
[401, 200, 403]
--- no_error_log
[alert]
[crit]



=== TEST 10: as a part of a page
--- config
    location = /jwks {
        gw_passport_jwks;
    }
    location / {
        root       $TEST_NGINX_HTML;
        ssi        on;
        ssi_types  *;
    }
--- user_files
>>> page.html
[<!--#include virtual="/jwks" -->]
--- request
GET /page.html
--- response_body_like: \A\[\{"keys":.*\}\n\]\n\z
