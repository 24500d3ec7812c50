# Copyright (C) The nginx gateway modules authors

# What the directives of the auth module refuse, and that the message names
# the directive and says what would be right.
#
#     provider  what is in the block gw_auth_provider, in place of good lines
#     keys      the file of its keys: a name of TEST_NGINX_KEYS, or its text
#     says      what nginx has to say, and not start; "OK": it starts

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GWAuth;


our %jwk = map { $_ => JSON::PP::decode_json(file("$_.jwks.json"))->{keys}[0] }
               qw(rsa ec ed hs);

$ENV{TEST_NGINX_CONF} = server_root() . '/conf';
$ENV{TEST_NGINX_PIPE} = "$ENV{TEST_NGINX_KEYS}/pipe";

-p $ENV{TEST_NGINX_PIPE} || POSIX::mkfifo($ENV{TEST_NGINX_PIPE}, 0600)
    or die "$ENV{TEST_NGINX_PIPE}: $!\n";

our $weak = user_key('rsa1024', '-algorithm', 'RSA', '-pkeyopt',
                     'rsa_keygen_bits:1024');
our $p384 = user_key('p384', '-algorithm', 'EC', '-pkeyopt',
                     'ec_paramgen_curve:P-384');
our $k256 = user_key('k256', '-algorithm', 'EC', '-pkeyopt',
                     'ec_paramgen_curve:secp256k1');
our $ed448 = user_key('ed448', '-algorithm', 'ED448');
our $locked = user_key('locked', '-algorithm', 'EC', '-pkeyopt',
                       'ec_paramgen_curve:P-256', '-aes256', '-pass',
                       'pass:x');

# a JWKS of a key with other members, undef removes one

sub jwks {
    my ($name, %change) = @_;

    my %key = (%{$jwk{$name}}, %change);

    delete @key{grep { !defined $key{$_} } keys %key};

    return json({ keys => [\%key] });
}


sub unnamed {
    my %key = %{$jwk{rsa}};

    delete $key{kid};

    return \%key;
}


add_block_preprocessor(sub {
    my $block = shift;

    my $says = $block->says =~ s/\$(TEST_NGINX_\w+)/$ENV{$1}/gr;
    chomp $says;

    $block->set_value('config', <<'END') if !defined $block->config;
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
END

    my $keys = $block->keys // 'jwks.json';
    chomp $keys;

    if (defined $block->keys && $keys !~ m{\A[\w.-]+\z}) {
        $block->set_value('user_files', [['keys', $keys]]);
        $keys = '$TEST_NGINX_HTML/keys';

    } else {
        $keys = "\$TEST_NGINX_KEYS/$keys";
    }

    my $good = "issuer https://accounts.test; audience gateway;\n";

    my $provider = $block->provider
        // ($good . ($block->algorithms // '') . "jwks file=$keys;\n");

    $provider =~ s/\bGOOD\b/$good/;
    $provider =~ s/\bKEYS\b/jwks file=$keys;/;

    $block->set_value('http_config', <<"END") if !defined $block->http_config;
    gw_auth_provider accounts {
        $provider
    }
END

    if ($says eq 'OK') {
        $block->set_value('request', "GET /\n");
        $block->set_value('more_headers', bearer(token()));
        return;
    }

    $block->set_value('must_die', '');
    $block->set_value('suppress_stderr', '');
    $block->set_value('request', "GET /\n");
    $block->set_value('error_log', ['[emerg]', $says]);
});

run_tests();

__DATA__

=== TEST 1: an empty provider
--- provider

--- says
"gw_auth_provider" "accounts" has no "issuer", the "iss" of its tokens



=== TEST 2: no audience
--- provider
issuer https://accounts.test; KEYS
--- says
"gw_auth_provider" "accounts" has no "audience": name the one its tokens are for, or say "audience off"



=== TEST 3: no keys
--- provider
GOOD
--- says
"gw_auth_provider" "accounts" has no "jwks file=PATH", the keys of the issuer



=== TEST 4: all that is needed
--- provider
GOOD KEYS
--- says
OK



=== TEST 5: an unknown parameter
--- provider
GOOD KEYS isuer x;
--- says
unknown parameter "isuer" of "gw_auth_provider" "accounts"



=== TEST 6: issuer twice
--- provider
GOOD KEYS issuer x;
--- says
"issuer" of "gw_auth_provider" "accounts" is duplicate



=== TEST 7: audience twice
--- provider
GOOD KEYS audience x;
--- says
"audience" of "gw_auth_provider" "accounts" is duplicate



=== TEST 8: jwks twice
--- provider
GOOD KEYS jwks file=x;
--- says
"jwks" of "gw_auth_provider" "accounts" is duplicate



=== TEST 9: algorithms twice
--- provider
GOOD KEYS algorithms RS256; algorithms RS256;
--- says
"algorithms" of "gw_auth_provider" "accounts" is duplicate



=== TEST 10: leeway twice
--- provider
GOOD KEYS leeway 0; leeway 0;
--- says
"leeway" of "gw_auth_provider" "accounts" is duplicate



=== TEST 11: subject twice
--- provider
GOOD KEYS subject shared; subject prefix=a:;
--- says
"subject" of "gw_auth_provider" "accounts" is duplicate



=== TEST 12: issuer without arguments
--- provider
issuer ;
--- says
"issuer" of "gw_auth_provider" "accounts" has a wrong number of arguments



=== TEST 13: issuer a b
--- provider
issuer a b;
--- says
"issuer" of "gw_auth_provider" "accounts" has a wrong number of arguments



=== TEST 14: audience without arguments
--- provider
audience ;
--- says
"audience" of "gw_auth_provider" "accounts" has a wrong number of arguments



=== TEST 15: jwks without arguments
--- provider
jwks ;
--- says
"jwks" of "gw_auth_provider" "accounts" has a wrong number of arguments



=== TEST 16: jwks file=a refresh=1s
--- provider
jwks file=a refresh=1s;
--- says
"jwks" of "gw_auth_provider" "accounts" has a wrong number of arguments



=== TEST 17: algorithms without arguments
--- provider
algorithms ;
--- says
"algorithms" of "gw_auth_provider" "accounts" has a wrong number of arguments



=== TEST 18: claims without arguments
--- provider
claims ;
--- says
"claims" of "gw_auth_provider" "accounts" has a wrong number of arguments



=== TEST 19: claims tier=a scope=b role=c
--- provider
claims tier=a scope=b role=c;
--- says
"claims" of "gw_auth_provider" "accounts" has a wrong number of arguments



=== TEST 20: leeway without arguments
--- provider
leeway ;
--- says
"leeway" of "gw_auth_provider" "accounts" has a wrong number of arguments



=== TEST 21: subject without arguments
--- provider
subject ;
--- says
"subject" of "gw_auth_provider" "accounts" has a wrong number of arguments



=== TEST 22: subject prefix=a b
--- provider
subject prefix=a b;
--- says
"subject" of "gw_auth_provider" "accounts" has a wrong number of arguments



=== TEST 23: an empty issuer
--- provider
issuer "";
--- says
"issuer" of "gw_auth_provider" "accounts" must not be empty



=== TEST 24: an empty audience
--- provider
audience a "";
--- says
"audience" of "gw_auth_provider" "accounts" must not be empty



=== TEST 25: audience off beside others
--- provider
audience a off;
--- says
"audience" of "gw_auth_provider" "accounts" takes "off" alone



=== TEST 26: jwks keys.json
--- provider
jwks keys.json;
--- says
"jwks" of "gw_auth_provider" "accounts" must look like "jwks file=PATH"



=== TEST 27: jwks file=
--- provider
jwks file=;
--- says
"jwks" of "gw_auth_provider" "accounts" must look like "jwks file=PATH"



=== TEST 28: jwks uri=/keys
--- provider
jwks uri=/keys;
--- says
"jwks" of "gw_auth_provider" "accounts" must look like "jwks file=PATH"



=== TEST 29: algorithms RS256 none
--- provider
algorithms RS256 none;
--- says
unknown algorithm "none" in "algorithms" of "gw_auth_provider" "accounts": there are HS, RS, PS and ES with 256, 384 and 512, and EdDSA



=== TEST 30: algorithms RS256 None
--- provider
algorithms RS256 None;
--- says
unknown algorithm "None" in "algorithms" of "gw_auth_provider" "accounts": there are HS, RS, PS and ES with 256, 384 and 512, and EdDSA



=== TEST 31: algorithms RS256 rs256
--- provider
algorithms RS256 rs256;
--- says
unknown algorithm "rs256" in "algorithms" of "gw_auth_provider" "accounts": there are HS, RS, PS and ES with 256, 384 and 512, and EdDSA



=== TEST 32: algorithms RS256 RS257
--- provider
algorithms RS256 RS257;
--- says
unknown algorithm "RS257" in "algorithms" of "gw_auth_provider" "accounts": there are HS, RS, PS and ES with 256, 384 and 512, and EdDSA



=== TEST 33: algorithms RS256 ES256K
--- provider
algorithms RS256 ES256K;
--- says
unknown algorithm "ES256K" in "algorithms" of "gw_auth_provider" "accounts": there are HS, RS, PS and ES with 256, 384 and 512, and EdDSA



=== TEST 34: algorithms RS256 ""
--- provider
algorithms RS256 "";
--- says
unknown algorithm "" in "algorithms" of "gw_auth_provider" "accounts": there are HS, RS, PS and ES with 256, 384 and 512, and EdDSA



=== TEST 35: leeway 301s
--- provider
leeway 301s;
--- says
"leeway" of "gw_auth_provider" "accounts" must be a time of at most 5m



=== TEST 36: leeway -1
--- provider
leeway -1;
--- says
"leeway" of "gw_auth_provider" "accounts" must be a time of at most 5m



=== TEST 37: leeway soon
--- provider
leeway soon;
--- says
"leeway" of "gw_auth_provider" "accounts" must be a time of at most 5m



=== TEST 38: leeway 99999999999999999999s
--- provider
leeway 99999999999999999999s;
--- says
"leeway" of "gw_auth_provider" "accounts" must be a time of at most 5m



=== TEST 39: leeway ""
--- provider
leeway "";
--- says
"leeway" of "gw_auth_provider" "accounts" must be a time of at most 5m



=== TEST 40: claims tier
--- provider
claims tier;
--- says
"claims" of "gw_auth_provider" "accounts" must look like "claims tier=NAME scope=NAME"



=== TEST 41: claims tier=
--- provider
claims tier=;
--- says
"claims" of "gw_auth_provider" "accounts" must look like "claims tier=NAME scope=NAME"



=== TEST 42: claims tier=a tier=b
--- provider
claims tier=a tier=b;
--- says
"claims" of "gw_auth_provider" "accounts" must look like "claims tier=NAME scope=NAME"



=== TEST 43: claims role=a
--- provider
claims role=a;
--- says
"claims" of "gw_auth_provider" "accounts" must look like "claims tier=NAME scope=NAME"



=== TEST 44: subject own
--- provider
subject own;
--- says
"subject" of "gw_auth_provider" "accounts" must be "shared" or "prefix=TEXT" of at most 64 bytes



=== TEST 45: subject prefix=
--- provider
subject prefix=;
--- says
"subject" of "gw_auth_provider" "accounts" must be "shared" or "prefix=TEXT" of at most 64 bytes



=== TEST 46: subject prefix
--- provider
subject prefix;
--- says
"subject" of "gw_auth_provider" "accounts" must be "shared" or "prefix=TEXT" of at most 64 bytes



=== TEST 47: subject ""
--- provider
subject "";
--- says
"subject" of "gw_auth_provider" "accounts" must be "shared" or "prefix=TEXT" of at most 64 bytes



=== TEST 48: subject with a prefix of 65 bytes
--- provider eval
"subject prefix=" . "x" x 65 . ";"
--- says
"subject" of "gw_auth_provider" "accounts" must be "shared" or "prefix=TEXT" of at most 64 bytes



=== TEST 49: subject with a prefix of 64 bytes
--- provider eval
"GOOD KEYS subject prefix=" . "x" x 64 . ";"
--- says
OK



=== TEST 50: subject with a prefix that is not UTF-8
--- provider eval
"subject prefix=a\xff;"
--- says
"subject" of "gw_auth_provider" "accounts" must have a prefix in UTF-8 without control characters



=== TEST 51: subject with a line feed in its prefix
--- provider eval
"subject 'prefix=a\nb';"
--- says
"subject" of "gw_auth_provider" "accounts" must have a prefix in UTF-8 without control characters



=== TEST 52: a block within
--- provider
GOOD KEYS claims { }
--- says
unexpected "{"



=== TEST 53: an empty file
--- keys eval
""
--- says
is empty



=== TEST 54: text
--- keys eval
"hello, world\n"
--- says
is neither JSON nor PEM



=== TEST 55: an array
--- keys eval
"[]\n"
--- says
is neither JSON nor PEM



=== TEST 56: a byte order mark
--- keys eval
"\xef\xbb\xbf" . ::jwks("rsa")
--- says
is neither JSON nor PEM



=== TEST 57: NULs
--- keys eval
"\0" x 10
--- says
is neither JSON nor PEM



=== TEST 58: JSON that ends too early
--- keys eval
"{ \"keys\":["
--- says
is not valid JSON, or names a member twice



=== TEST 59: JSON with garbage behind it
--- keys eval
::jwks("rsa") . "x"
--- says
is not valid JSON, or names a member twice



=== TEST 60: a member twice
--- keys eval
'{"keys":[],"keys":[]}'
--- says
is not valid JSON, or names a member twice



=== TEST 61: JSON in too many layers
--- keys eval
'{"a":' x 500 . 1 . "}" x 500
--- says
is not valid JSON, or names a member twice



=== TEST 62: keys that are no array
--- keys eval
'{"keys":{}}'
--- says
has "keys" that are not an array



=== TEST 63: no key
--- keys eval
'{"keys":[]}'
--- says
has no key for the algorithms allowed



=== TEST 64: a key that is no object
--- keys eval
'{"keys":[7]}'
--- says
has a key without "kty"



=== TEST 65: no kty
--- keys eval
::jwks("rsa", kty => undef)
--- says
has a key without "kty"



=== TEST 66: no modulus
--- keys eval
::jwks("rsa", n => undef)
--- says
has a key that lacks a member of its type



=== TEST 67: a modulus that is not base64url
--- keys eval
::jwks("rsa", n => "a+/=")
--- says
has a key with malformed or too long base64url



=== TEST 68: an exponent of 1
--- keys eval
::jwks("rsa", e => "AQ")
--- says
has an RSA key with a bad exponent



=== TEST 69: RSA of 1024 bits
--- keys eval
file(public_key($::weak))
--- says
has an RSA key under 2048 bits



=== TEST 70: a modulus of 24 bits
--- keys eval
::jwks("rsa", n => "AQAB")
--- says
has an RSA key under 2048 bits



=== TEST 71: a point not on its curve
--- keys eval
::jwks("ec", x => $::jwk{ec}{y})
--- says
has an EC key that is not on its curve



=== TEST 72: a coordinate too short
--- keys eval
::jwks("ec", x => "AQAB")
--- says
has an EC key with coordinates of a wrong length



=== TEST 73: secp256k1
--- keys eval
file(public_key($::k256))
--- says
has an EC key on another curve than P-256, P-384, P-521



=== TEST 74: Ed448
--- keys eval
file(public_key($::ed448))
--- says
has a key that is neither RSA, nor EC, nor Ed25519



=== TEST 75: a curve for algorithms that are not allowed
--- keys eval
file(public_key($::p384))
--- says
has no key for the algorithms allowed



=== TEST 76: a key for encryption
--- keys eval
::jwks("rsa", use => "enc")
--- says
has no key for the algorithms allowed



=== TEST 77: a key with alg none
--- keys eval
::jwks("rsa", alg => "none")
--- says
has no key for the algorithms allowed



=== TEST 78: a key with the alg of another type
--- keys eval
::jwks("rsa", alg => "ES256")
--- says
has a key with an "alg" of another type of key



=== TEST 79: kid is a number
--- keys eval
::jwks("rsa", kid => 1)
--- says
has a key with a bad "kid"



=== TEST 80: kid is empty
--- keys eval
::jwks("rsa", kid => "")
--- says
has a key with a bad "kid"



=== TEST 81: two keys of one name
--- keys eval
json({ keys => [$::jwk{rsa}, $::jwk{rsa}] })
--- says
has two keys with one "kid" for one algorithm



=== TEST 82: five keys without a name
--- keys eval
json({ keys => [(::unnamed()) x 5] })
--- says
has more than 4 keys without "kid" for one algorithm



=== TEST 83: 65 keys
--- keys eval
json({ keys => [map { { %{$::jwk{rsa}}, kid => "k$_" } } 1 .. 65] })
--- says
has more than 64 keys



=== TEST 84: more than 256 KiB
--- keys eval
::jwks("rsa") . " " x 262144
--- says
is longer than 256 KiB



=== TEST 85: a private key in PEM
--- keys
rsa.pem
--- says
contains a private key



=== TEST 86: a private key behind a public one
--- keys eval
file("rsa.pub.pem") . file("rsa.pem")
--- says
contains a private key



=== TEST 87: an encrypted private key
--- keys eval
file($::locked)
--- says
contains a private key



=== TEST 88: a private key in JSON
--- keys eval
::jwks("rsa", d => "AQAB")
--- says
contains a private key



=== TEST 89: PEM that ends too early
--- keys eval
CORE::substr(file("rsa.pub.pem"), 0, 200)
--- says
has malformed PEM



=== TEST 90: a request for a certificate
--- keys eval
"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"
--- says
has PEM that is neither a public key nor a certificate



=== TEST 91: a shared secret that is not asked for
--- keys
hs.jwks.json
--- says
has no key for the algorithms allowed



=== TEST 92: a short secret
--- algorithms
algorithms HS256;
--- keys eval
::jwks("hs", k => "c2hvcnQ")
--- says
has a secret under 256 bits



=== TEST 93: HS256 without a secret
--- algorithms
algorithms HS256;
--- keys
jwks.json
--- says
has no key for the algorithms allowed



=== TEST 94: a key without a name and alg
--- keys eval
::jwks("rsa", kid => undef, alg => undef)
--- says
OK



=== TEST 95: unknown keys beside a good one
--- keys eval
json({ keys => [{ kty => "PQ" }, $::jwk{rsa}] })
--- says
OK



=== TEST 96: a file that is not there
--- provider
GOOD jwks file=nothing.json;
--- says
"jwks" of "gw_auth_provider" "accounts": "$TEST_NGINX_CONF/nothing.json" cannot be opened (2: No such file or directory)



=== TEST 97: a directory
--- provider
GOOD jwks file=$TEST_NGINX_HTML;
--- says
"jwks" of "gw_auth_provider" "accounts": "$TEST_NGINX_HTML" is not a regular file



=== TEST 98: a device
--- provider
GOOD jwks file=/dev/zero;
--- says
"jwks" of "gw_auth_provider" "accounts": "/dev/zero" is not a regular file



=== TEST 99: a pipe, which would be waited for
--- provider
GOOD jwks file=$TEST_NGINX_PIPE;
--- says
"jwks" of "gw_auth_provider" "accounts": "$TEST_NGINX_PIPE" is not a regular file



=== TEST 100: a provider named off
--- http_config
gw_auth_provider off { issuer https://accounts.test; audience a; jwks file=$TEST_NGINX_KEYS/jwks.json; }
--- says
"gw_auth_provider" directive needs a name other than "off" and "optional"



=== TEST 101: a provider named optional
--- http_config
gw_auth_provider optional { issuer https://accounts.test; audience a; jwks file=$TEST_NGINX_KEYS/jwks.json; }
--- says
"gw_auth_provider" directive needs a name other than "off" and "optional"



=== TEST 102: a provider named ""
--- http_config
gw_auth_provider "" { issuer https://accounts.test; audience a; jwks file=$TEST_NGINX_KEYS/jwks.json; }
--- says
"gw_auth_provider" directive needs a name other than "off" and "optional"



=== TEST 103: a provider without a block
--- http_config
gw_auth_provider accounts;
--- says
directive "gw_auth_provider" has no opening "{"



=== TEST 104: a provider without a name
--- http_config
gw_auth_provider { issuer https://accounts.test; audience a; jwks file=$TEST_NGINX_KEYS/jwks.json; }
--- says
invalid number of arguments in "gw_auth_provider" directive



=== TEST 105: two providers of one name
--- http_config
gw_auth_provider accounts { issuer https://accounts.test; audience a; jwks file=$TEST_NGINX_KEYS/jwks.json; }
gw_auth_provider accounts { issuer https://accounts.test; audience a; jwks file=$TEST_NGINX_KEYS/jwks.json; }
--- says
"gw_auth_provider" "accounts" is duplicate



=== TEST 106: two providers, one without subject
--- http_config
gw_auth_provider accounts { issuer https://accounts.test; audience a; jwks file=$TEST_NGINX_KEYS/jwks.json; subject shared; }
gw_auth_provider b { issuer https://b.test; audience a; jwks file=$TEST_NGINX_KEYS/jwks.json; }
--- says
"gw_auth_provider" "b" has no "subject": with several providers say "subject prefix=TEXT", or "subject shared" if their users are the same



=== TEST 107: two providers of one issuer
--- http_config
gw_auth_provider accounts { issuer https://accounts.test; audience a; jwks file=$TEST_NGINX_KEYS/jwks.json; subject shared; }
gw_auth_provider b { issuer https://accounts.test; audience a; jwks file=$TEST_NGINX_KEYS/jwks.json; subject prefix=b:; }
--- says
"gw_auth_provider" "accounts" and "b" have the same "issuer"



=== TEST 108: a provider in a server
--- config
gw_auth_provider b { issuer https://accounts.test; audience a; jwks file=$TEST_NGINX_KEYS/jwks.json; }
--- says
"gw_auth_provider" directive is not allowed here



=== TEST 109: gw_auth without arguments
--- config
gw_auth;
--- says
invalid number of arguments in "gw_auth" directive



=== TEST 110: gw_auth on
--- config
gw_auth on;
--- says
"gw_auth" names the unknown provider "on": define it by "gw_auth_provider"



=== TEST 111: gw_auth accounts accounts2
--- config
gw_auth accounts accounts2;
--- says
"gw_auth" names the unknown provider "accounts2": define it by "gw_auth_provider"



=== TEST 112: gw_auth ""
--- config
gw_auth "";
--- says
"gw_auth" names the unknown provider "": define it by "gw_auth_provider"



=== TEST 113: gw_auth off accounts
--- config
gw_auth off accounts;
--- says
"gw_auth" directive takes "off" alone, and "optional" last



=== TEST 114: gw_auth accounts off
--- config
gw_auth accounts off;
--- says
"gw_auth" directive takes "off" alone, and "optional" last



=== TEST 115: gw_auth off optional
--- config
gw_auth off optional;
--- says
"gw_auth" directive takes "off" alone, and "optional" last



=== TEST 116: gw_auth optional accounts
--- config
gw_auth optional accounts;
--- says
"gw_auth" directive takes "off" alone, and "optional" last



=== TEST 117: gw_auth accounts optional optional
--- config
gw_auth accounts optional optional;
--- says
"gw_auth" directive takes "off" alone, and "optional" last



=== TEST 118: gw_auth optional
--- config
gw_auth optional;
--- says
"gw_auth" directive names no provider



=== TEST 119: gw_auth twice
--- config
gw_auth accounts; gw_auth off;
--- says
"gw_auth" directive is duplicate



=== TEST 120: gw_auth in an if
--- config
location / { if ($arg_a) { gw_auth off; } }
--- says
"gw_auth" directive is not allowed here



=== TEST 121: gw_auth in limit_except
--- config
location / { limit_except GET { gw_auth off; } }
--- says
"gw_auth" directive is not allowed here



=== TEST 122: a provider after its use
--- http_config
gw_auth accounts;
gw_auth_provider accounts { issuer https://accounts.test; audience gateway; jwks file=$TEST_NGINX_KEYS/jwks.json; }
--- says
OK



=== TEST 123: gw_passport without a key
--- config
gw_passport audience=a;
--- says
"gw_passport" and "gw_passport_jwks" need "gw_passport_key", the key that signs



=== TEST 124: gw_passport_jwks without a key
--- config
location / { gw_passport_jwks; }
--- says
"gw_passport" and "gw_passport_jwks" need "gw_passport_key", the key that signs



=== TEST 125: gw_passport without arguments
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
gw_passport;
--- says
invalid number of arguments in "gw_passport" directive



=== TEST 126: gw_passport on
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
gw_passport on;
--- says
invalid parameter "on" of "gw_passport"



=== TEST 127: gw_passport off ttl=1s
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
gw_passport off ttl=1s;
--- says
invalid parameter "off" of "gw_passport"



=== TEST 128: gw_passport aud=a
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
gw_passport aud=a;
--- says
invalid parameter "aud=a" of "gw_passport"



=== TEST 129: gw_passport audience=
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
gw_passport audience=;
--- says
invalid parameter "audience=" of "gw_passport"



=== TEST 130: gw_passport audience=,a
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
gw_passport audience=,a;
--- says
invalid parameter "audience=,a" of "gw_passport"



=== TEST 131: gw_passport audience=a,
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
gw_passport audience=a,;
--- says
invalid parameter "audience=a," of "gw_passport"



=== TEST 132: gw_passport audience=a,,b
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
gw_passport audience=a,,b;
--- says
invalid parameter "audience=a,,b" of "gw_passport"



=== TEST 133: gw_passport audience=a issuer=
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
gw_passport audience=a issuer=;
--- says
invalid parameter "issuer=" of "gw_passport"



=== TEST 134: gw_passport audience=a scope=b
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
gw_passport audience=a scope=b;
--- says
invalid parameter "scope=b" of "gw_passport"



=== TEST 135: gw_passport with ttl=0
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
gw_passport audience=a ttl=0;
--- says
"gw_passport" directive needs a "ttl" between 1s and 5m



=== TEST 136: gw_passport with ttl=301s
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
gw_passport audience=a ttl=301s;
--- says
"gw_passport" directive needs a "ttl" between 1s and 5m



=== TEST 137: gw_passport with ttl=x
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
gw_passport audience=a ttl=x;
--- says
"gw_passport" directive needs a "ttl" between 1s and 5m



=== TEST 138: gw_passport with ttl=
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
gw_passport audience=a ttl=;
--- says
"gw_passport" directive needs a "ttl" between 1s and 5m



=== TEST 139: gw_passport with ttl=-1
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
gw_passport audience=a ttl=-1;
--- says
"gw_passport" directive needs a "ttl" between 1s and 5m



=== TEST 140: gw_passport with ttl=1ms
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
gw_passport audience=a ttl=1ms;
--- says
"gw_passport" directive needs a "ttl" between 1s and 5m



=== TEST 141: gw_passport without an audience
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
gw_passport ttl=1s;
--- says
"gw_passport" directive has no "audience=", the upstream it is for



=== TEST 142: gw_passport twice
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
gw_passport audience=a; gw_passport off;
--- says
"gw_passport" directive is duplicate



=== TEST 143: an audience that is not UTF-8
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config eval
"gw_passport audience=a,\xff;"
--- says
"gw_passport" directive takes "audience=" and "issuer=" of at most 384 bytes each, UTF-8 without control characters



=== TEST 144: a line feed in an audience
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config eval
"gw_passport 'audience=a\nb';"
--- says
"gw_passport" directive takes "audience=" and "issuer=" of at most 384 bytes each, UTF-8 without control characters



=== TEST 145: an issuer that is not UTF-8
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config eval
"gw_passport audience=a issuer=\xff;"
--- says
"gw_passport" directive takes "audience=" and "issuer=" of at most 384 bytes each, UTF-8 without control characters



=== TEST 146: audiences too long for any passport
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config eval
"gw_passport audience=" . "orders-and-more," x 30 . "a;"
--- says
"gw_passport" directive takes "audience=" and "issuer=" of at most 384 bytes each, UTF-8 without control characters



=== TEST 147: gw_passport_key without a file
--- http_config
gw_passport_key k;
--- says
invalid number of arguments in "gw_passport_key" directive



=== TEST 148: gw_passport_key with a file that is not there
--- http_config
gw_passport_key k nothing.pem;
--- says
"gw_passport_key" "k": "$TEST_NGINX_CONF/nothing.pem" cannot be opened (2: No such file or directory)



=== TEST 149: gw_passport_key with a directory
--- http_config
gw_passport_key k $TEST_NGINX_HTML;
--- says
"gw_passport_key" "k": "$TEST_NGINX_HTML" is not a regular file



=== TEST 150: gw_passport_key with a pipe
--- http_config
gw_passport_key k $TEST_NGINX_PIPE;
--- says
"gw_passport_key" "k": "$TEST_NGINX_PIPE" is not a regular file



=== TEST 151: gw_passport_key with an empty file
--- http_config
gw_passport_key k $TEST_NGINX_HTML/keys;
--- keys eval
""
--- says
"gw_passport_key" "k": "$TEST_NGINX_HTML/keys" is empty



=== TEST 152: gw_passport_key with a public key
--- http_config
gw_passport_key k $TEST_NGINX_HTML/keys;
--- keys eval
file("passport.pub.pem")
--- says
contains no private key in PEM



=== TEST 153: gw_passport_key with a JWKS
--- http_config
gw_passport_key k $TEST_NGINX_HTML/keys;
--- keys eval
file("passport.jwks.json")
--- says
contains no private key in PEM



=== TEST 154: gw_passport_key with RSA
--- http_config
gw_passport_key k $TEST_NGINX_HTML/keys;
--- keys eval
file("rsa.pem")
--- says
contains a key that is not EC P-256



=== TEST 155: gw_passport_key with Ed25519
--- http_config
gw_passport_key k $TEST_NGINX_HTML/keys;
--- keys eval
file("ed.pem")
--- says
contains a key that is not EC P-256



=== TEST 156: gw_passport_key with P-384
--- http_config
gw_passport_key k $TEST_NGINX_HTML/keys;
--- keys eval
file($::p384)
--- says
contains a key that is not EC P-256



=== TEST 157: gw_passport_key with an encrypted key
--- http_config
gw_passport_key k $TEST_NGINX_HTML/keys;
--- keys eval
file($::locked)
--- says
"gw_passport_key" "k": "$TEST_NGINX_HTML/keys" is encrypted



=== TEST 158: gw_passport_key with more than 64 KiB
--- http_config
gw_passport_key k $TEST_NGINX_HTML/keys;
--- keys eval
"- " x 40000
--- says
is longer than 64 KiB



=== TEST 159: gw_passport_key that ends too early
--- http_config
gw_passport_key k $TEST_NGINX_HTML/keys;
--- keys eval
CORE::substr(file("passport.pem"), 0, 100)
--- says
contains no private key in PEM



=== TEST 160: gw_passport_key with an empty name
--- http_config
gw_passport_key "" $TEST_NGINX_KEYS/passport.pem;
--- says
"gw_passport_key" "": "$TEST_NGINX_KEYS/passport.pem" has a key name that is not 1 to 256 printable bytes



=== TEST 161: gw_passport_key with a long name
--- http_config eval
"gw_passport_key " . "x" x 257 . " \$TEST_NGINX_KEYS/passport.pem;"
--- says
has a key name that is not 1 to 256 printable bytes



=== TEST 162: gw_passport_key with a name that is not UTF-8
--- http_config eval
"gw_passport_key \xff \$TEST_NGINX_KEYS/passport.pem;"
--- says
has a key name that is not UTF-8



=== TEST 163: two keys of one name
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
gw_passport_key k $TEST_NGINX_KEYS/passport-old.pem;
--- says
"gw_passport_key" "k" is duplicate



=== TEST 164: gw_passport_key in a server
--- config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- says
"gw_passport_key" directive is not allowed here



=== TEST 165: gw_passport_jwks in a server
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
gw_passport_jwks;
--- says
"gw_passport_jwks" directive is not allowed here



=== TEST 166: gw_passport_jwks with an argument
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
location / { gw_passport_jwks on; }
--- says
invalid number of arguments in "gw_passport_jwks" directive



=== TEST 167: gw_passport_jwks beside another handler
--- http_config
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
location / { proxy_pass http://127.0.0.1; gw_passport_jwks; }
--- says
"gw_passport_jwks" directive is not compatible with another handler of the location



=== TEST 168: two providers with one prefix
--- http_config
gw_auth_provider accounts { issuer https://accounts.test; audience a; jwks file=$TEST_NGINX_KEYS/jwks.json; subject prefix=x:; }
gw_auth_provider b { issuer https://b.test; audience a; jwks file=$TEST_NGINX_KEYS/jwks.json; subject prefix=x:; }
--- says
"gw_auth_provider" "accounts" and "b" have the same prefix in "subject"
