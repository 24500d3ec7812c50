# Copyright (C) The nginx gateway modules authors

# What the directives of the auth module refuse, and that the message names
# the directive and says what would be right.
#
#     provider  what is in the block gw_auth_provider, in place of good lines
#     more      lines of http{} behind a good "accounts", with "subject shared"
#     keys      the file of its keys: a name of TEST_NGINX_KEYS, or its text
#     says      what nginx has to say, and not start; "OK": it starts

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GWAuth;


# Test::Nginx has two ports that nobody listens on

$ENV{TEST_NGINX_REDIS} = "redis://127.0.0.1:1";

our %jwk = map { $_ => JSON::PP::decode_json(file("$_.jwks.json"))->{keys}[0] }
               qw(rsa ec ed hs);

$ENV{TEST_NGINX_CONF} = server_root() . '/conf';
$ENV{TEST_NGINX_PIPE} = "$ENV{TEST_NGINX_KEYS}/pipe";

-p $ENV{TEST_NGINX_PIPE} || POSIX::mkfifo($ENV{TEST_NGINX_PIPE}, 0600)
    or die "$ENV{TEST_NGINX_PIPE}: $!\n";

# a secret for HS256, and a key that the group may read

our %files = (secret => 's' x 32 . "\n",
             'readable.pem' => file('passport.pem'));

for my $name (sort keys %files) {
    my $path = "$ENV{TEST_NGINX_KEYS}/$name";

    open(my $fh, '>', $path) or die "$path: $!\n";
    print $fh $files{$name};
    close($fh) or die "$path: $!\n";

    chmod($name eq 'secret' ? 0600 : 0640, $path) or die "$path: $!\n";
}

our $weak = user_key('rsa1024', '-algorithm', 'RSA', '-pkeyopt',
                     'rsa_keygen_bits:1024');
our $p384 = user_key('p384', '-algorithm', 'EC', '-pkeyopt',
                     'ec_paramgen_curve:P-384');
our $k256 = user_key('k256', '-algorithm', 'EC', '-pkeyopt',
                     'ec_paramgen_curve:secp256k1');
our $ed448 = user_key('ed448', '-algorithm', 'ED448');
our $x25519 = user_key('x25519', '-algorithm', 'X25519');
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

    my $more = $block->more // '';

    $provider .= ' subject shared;' if $more =~ /gw_auth_provider/;

    $block->set_value('http_config', <<"END") if !defined $block->http_config;
    gw_auth_provider accounts {
        $provider
    }
    $more
END

    if ($says eq 'OK') {
        $block->set_value('request', "GET /\n") if !defined $block->request;
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
"gw_auth_provider" "accounts" has no "jwks", "introspect", or "api_key": say what checks its credentials



=== TEST 2: no audience
--- provider
issuer https://accounts.test; KEYS
--- says
"gw_auth_provider" "accounts" has no "audience": name the one its tokens are for, or say "audience off"



=== TEST 3: no keys
--- provider
GOOD
--- says
"gw_auth_provider" "accounts" has no "jwks", "introspect", or "api_key": say what checks its credentials



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
"jwks" of "gw_auth_provider" "accounts" takes "file=PATH" alone



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
"jwks" of "gw_auth_provider" "accounts" has an unknown parameter "keys.json", there is "file=" "uri=" "server=" "refresh=" "stale=" "cooldown=" "timeout="



=== TEST 27: jwks file=
--- provider
jwks file=;
--- says
"jwks" of "gw_auth_provider" "accounts" has an invalid parameter "file=": it takes the path of a file



=== TEST 28: jwks uri=/keys
--- provider
GOOD jwks uri=/keys;
--- says
"jwks" of "gw_auth_provider" "accounts": no server has "location = /keys"



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



=== TEST 74: X25519
--- keys eval
file(public_key($::x25519))
--- says
has a key that is neither RSA, nor EC, nor Ed25519, nor Ed448



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
contains a key that is neither EC P-256, nor Ed25519, nor Ed448



=== TEST 155: gw_passport_key with Ed25519
--- more
gw_passport_key k $TEST_NGINX_KEYS/ed.pem;
--- says
OK



=== TEST 156: gw_passport_key with P-384
--- http_config
gw_passport_key k $TEST_NGINX_HTML/keys;
--- keys eval
file($::p384)
--- says
contains a key that is neither EC P-256, nor Ed25519, nor Ed448



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



=== TEST 169: jwks beside introspect
--- provider
GOOD KEYS introspect uri=/ask;
--- says
"introspect" of "gw_auth_provider" "accounts" is one too many: a provider has "jwks", "introspect", or "api_key"



=== TEST 170: introspect beside api_key
--- provider
api_key header=X-API-Key; introspect uri=/ask;
--- says
"introspect" of "gw_auth_provider" "accounts" is one too many: a provider has "jwks", "introspect", or "api_key"



=== TEST 171: issuer beside api_key
--- provider
issuer a; api_key header=X-API-Key;
--- says
"issuer" of "gw_auth_provider" "accounts" does not go with "api_key"



=== TEST 172: audience beside api_key
--- provider
audience a; api_key header=X-API-Key;
--- says
"audience" of "gw_auth_provider" "accounts" does not go with "api_key"



=== TEST 173: algorithms beside api_key
--- provider
algorithms RS256; api_key header=X-API-Key;
--- says
"algorithms" of "gw_auth_provider" "accounts" does not go with "api_key"



=== TEST 174: leeway beside api_key
--- provider
leeway 1s; api_key header=X-API-Key;
--- says
"leeway" of "gw_auth_provider" "accounts" does not go with "api_key"



=== TEST 175: credential beside api_key
--- provider
credential bearer; api_key header=X-API-Key;
--- says
"credential" of "gw_auth_provider" "accounts" does not go with "api_key"



=== TEST 176: fallback beside api_key
--- provider
fallback a; api_key header=X-API-Key;
--- says
"fallback" of "gw_auth_provider" "accounts" does not go with "api_key"



=== TEST 177: algorithms beside introspect
--- provider
introspect uri=/ask; algorithms RS256;
--- says
"algorithms" of "gw_auth_provider" "accounts" does not go with "introspect"



=== TEST 178: fallback beside jwks
--- provider
GOOD KEYS fallback a;
--- says
"fallback" of "gw_auth_provider" "accounts" does not go with "jwks"



=== TEST 179: introspect without an audience is one
--- provider
introspect uri=/ask;
--- says
"introspect" of "gw_auth_provider" "accounts" needs "gw_auth_zone NAME:SIZE"



=== TEST 180: credential twice
--- provider
credential bearer; credential bearer;
--- says
"credential" of "gw_auth_provider" "accounts" is duplicate



=== TEST 181: claims twice
--- provider
claims tier=a; claims tier=a;
--- says
"claims" of "gw_auth_provider" "accounts" is duplicate



=== TEST 182: introspect twice
--- provider
introspect uri=/a; introspect uri=/a;
--- says
"introspect" of "gw_auth_provider" "accounts" is duplicate



=== TEST 183: fallback twice
--- provider
fallback a; fallback a;
--- says
"fallback" of "gw_auth_provider" "accounts" is duplicate



=== TEST 184: api_key twice
--- provider
api_key header=A; api_key header=A;
--- says
"api_key" of "gw_auth_provider" "accounts" is duplicate



=== TEST 185: jwks uri=
--- provider
jwks uri=;
--- says
"jwks" of "gw_auth_provider" "accounts" has an invalid parameter "uri=": it takes the URI of a location



=== TEST 186: jwks uri=keys
--- provider
jwks uri=keys;
--- says
"jwks" of "gw_auth_provider" "accounts" needs an "uri=" that begins with "/"



=== TEST 187: jwks uri=/a uri=/b
--- provider
jwks uri=/a uri=/b;
--- says
"jwks" of "gw_auth_provider" "accounts" takes "uri=" only once



=== TEST 188: jwks refresh=1m
--- provider
jwks refresh=1m;
--- says
"jwks" of "gw_auth_provider" "accounts" needs "file=PATH" or "uri=/PATH", the keys of the issuer



=== TEST 189: jwks uri=/a file=b
--- provider
jwks uri=/a file=b;
--- says
"jwks" of "gw_auth_provider" "accounts" takes "file=PATH" alone



=== TEST 190: jwks uri=/a refresh=0
--- provider
jwks uri=/a refresh=0;
--- says
"jwks" of "gw_auth_provider" "accounts" has an invalid parameter "refresh=0": it takes a time from 1s to 1d



=== TEST 191: jwks uri=/a refresh=25h
--- provider
jwks uri=/a refresh=25h;
--- says
"jwks" of "gw_auth_provider" "accounts" has an invalid parameter "refresh=25h": it takes a time from 1s to 1d



=== TEST 192: jwks uri=/a refresh=
--- provider
jwks uri=/a refresh=;
--- says
"jwks" of "gw_auth_provider" "accounts" has an invalid parameter "refresh=": it takes a time from 1s to 1d



=== TEST 193: jwks uri=/a refresh=soon
--- provider
jwks uri=/a refresh=soon;
--- says
"jwks" of "gw_auth_provider" "accounts" has an invalid parameter "refresh=soon": it takes a time from 1s to 1d



=== TEST 194: jwks uri=/a stale=31d
--- provider
jwks uri=/a stale=31d;
--- says
"jwks" of "gw_auth_provider" "accounts" has an invalid parameter "stale=31d": it takes a time of at most 30d



=== TEST 195: jwks uri=/a cooldown=0
--- provider
jwks uri=/a cooldown=0;
--- says
"jwks" of "gw_auth_provider" "accounts" has an invalid parameter "cooldown=0": it takes a time from 1s to 1h



=== TEST 196: jwks uri=/a cooldown=2h
--- provider
jwks uri=/a cooldown=2h;
--- says
"jwks" of "gw_auth_provider" "accounts" has an invalid parameter "cooldown=2h": it takes a time from 1s to 1h



=== TEST 197: jwks uri=/a timeout=0
--- provider
jwks uri=/a timeout=0;
--- says
"jwks" of "gw_auth_provider" "accounts" has an invalid parameter "timeout=0": it takes a time from 1ms to 1m



=== TEST 198: jwks uri=/a timeout=61s
--- provider
jwks uri=/a timeout=61s;
--- says
"jwks" of "gw_auth_provider" "accounts" has an invalid parameter "timeout=61s": it takes a time from 1ms to 1m



=== TEST 199: jwks uri=/a server=
--- provider
jwks uri=/a server=;
--- says
"jwks" of "gw_auth_provider" "accounts" has an invalid parameter "server=": it takes the first name of a server



=== TEST 200: jwks uri=/a cache=1s
--- provider
jwks uri=/a cache=1s;
--- says
"jwks" of "gw_auth_provider" "accounts" has an unknown parameter "cache=1s", there is "file=" "uri=" "server=" "refresh=" "stale=" "cooldown=" "timeout="



=== TEST 201: introspect timeout=1s
--- provider
introspect timeout=1s;
--- says
"introspect" of "gw_auth_provider" "accounts" needs "uri=/PATH", a location that asks the auth service



=== TEST 202: introspect uri=ask
--- provider
introspect uri=ask;
--- says
"introspect" of "gw_auth_provider" "accounts" needs an "uri=" that begins with "/"



=== TEST 203: introspect uri=/a cache=61m
--- provider
introspect uri=/a cache=61m;
--- says
"introspect" of "gw_auth_provider" "accounts" has an invalid parameter "cache=61m": it takes a time of at most 1h, in seconds



=== TEST 204: introspect uri=/a cache=10ms
--- provider
introspect uri=/a cache=10ms;
--- says
"introspect" of "gw_auth_provider" "accounts" has an invalid parameter "cache=10ms": it takes a time of at most 1h, in seconds



=== TEST 205: introspect uri=/a timeout=0
--- provider
introspect uri=/a timeout=0;
--- says
"introspect" of "gw_auth_provider" "accounts" has an invalid parameter "timeout=0": it takes a time from 1ms to 1m



=== TEST 206: introspect uri=/a max=0
--- provider
introspect uri=/a max=0;
--- says
"introspect" of "gw_auth_provider" "accounts" has an invalid parameter "max=0": it takes a number from 1 to 65535



=== TEST 207: introspect uri=/a max=65536
--- provider
introspect uri=/a max=65536;
--- says
"introspect" of "gw_auth_provider" "accounts" has an invalid parameter "max=65536": it takes a number from 1 to 65535



=== TEST 208: introspect uri=/a max=x
--- provider
introspect uri=/a max=x;
--- says
"introspect" of "gw_auth_provider" "accounts" has an invalid parameter "max=x": it takes a number from 1 to 65535



=== TEST 209: introspect /a
--- provider
introspect /a;
--- says
"introspect" of "gw_auth_provider" "accounts" has an unknown parameter "/a", there is "uri=" "server=" "cache=" "timeout=" "max="



=== TEST 210: fallback b max_age=0
--- provider
fallback b max_age=0;
--- says
"fallback" of "gw_auth_provider" "accounts" has an invalid parameter "max_age=0": it takes a time from 1s to 30d



=== TEST 211: fallback b max_age=31d
--- provider
fallback b max_age=31d;
--- says
"fallback" of "gw_auth_provider" "accounts" has an invalid parameter "max_age=31d": it takes a time from 1s to 30d



=== TEST 212: fallback b 15m
--- provider
fallback b 15m;
--- says
"fallback" of "gw_auth_provider" "accounts" has an unknown parameter "15m", there is "max_age="



=== TEST 213: fallback b max_age=1m c
--- provider
fallback b max_age=1m c;
--- says
"fallback" of "gw_auth_provider" "accounts" has a wrong number of arguments



=== TEST 214: api_key prefix=a:
--- provider
api_key prefix=a:;
--- says
"api_key" of "gw_auth_provider" "accounts" needs "header=NAME", "cookie=NAME", or "query=NAME", the place of the key



=== TEST 215: api_key bearer
--- provider
api_key bearer;
--- says
"api_key" of "gw_auth_provider" "accounts" has an unknown parameter "bearer", there is "prefix=" "cache="



=== TEST 216: api_key header=A header=a
--- provider
api_key header=A header=a;
--- says
"api_key" of "gw_auth_provider" "accounts" names the same place twice



=== TEST 217: api_key header=A cache=2h
--- provider
api_key header=A cache=2h;
--- says
"api_key" of "gw_auth_provider" "accounts" has an invalid parameter "cache=2h": it takes a time of at most 1h, in seconds



=== TEST 218: api_key header=A prefix=a prefix=b
--- provider
api_key header=A prefix=a prefix=b;
--- says
"api_key" of "gw_auth_provider" "accounts" takes "prefix=" only once



=== TEST 219: credential bearer bearer
--- provider
credential bearer bearer;
--- says
"credential" of "gw_auth_provider" "accounts" names the same place twice



=== TEST 220: credential query=a query=a
--- provider
credential query=a query=a;
--- says
"credential" of "gw_auth_provider" "accounts" names the same place twice



=== TEST 221: credential basic
--- provider
credential 'basic';
--- says
"basic" in "credential" of "gw_auth_provider" "accounts" must be "bearer", "header=", "cookie=", or "query="



=== TEST 222: credential header=
--- provider
credential 'header=';
--- says
"header=" in "credential" of "gw_auth_provider" "accounts" has an empty name



=== TEST 223: credential cookie=a;b
--- provider
credential 'cookie=a;b';
--- says
"cookie=a;b" in "credential" of "gw_auth_provider" "accounts" has a name of other than letters, digits, "-", "_", and "."



=== TEST 224: credential header=Host
--- provider
credential 'header=Host';
--- says
"header=Host" in "credential" of "gw_auth_provider" "accounts" names a header that can't carry it



=== TEST 225: api_key header=Authorization
--- provider
api_key header=Authorization;
--- says
"header=Authorization" in "api_key" of "gw_auth_provider" "accounts" names a header that can't carry it



=== TEST 226: credentials in the header of passports
--- provider
GOOD KEYS credential header=X_Passport;
--- says
"gw_auth_provider" "accounts" takes credentials from the header "x-passport", which carries passports



=== TEST 227: credentials in another header of passports
--- provider
GOOD KEYS credential header=X-ID;
--- more
gw_passport_header X-Id;
--- says
"gw_auth_provider" "accounts" takes credentials from the header "x-id", which carries passports



=== TEST 228: introspect without gw_auth_zone
--- more
gw_auth_provider sessions { introspect uri=/ask; subject prefix=s:; }
--- says
"introspect" of "gw_auth_provider" "sessions" needs "gw_auth_zone NAME:SIZE"



=== TEST 229: api_key without gw_auth_zone
--- more
gw_auth_redis $TEST_NGINX_REDIS;
gw_auth_provider partners { api_key header=X-API-Key; subject prefix=p:; }
--- says
"api_key" of "gw_auth_provider" "partners" needs "gw_auth_zone NAME:SIZE"



=== TEST 230: api_key without gw_auth_redis
--- more
gw_auth_zone ids:1m;
gw_auth_provider partners { api_key header=X-API-Key; subject prefix=p:; }
--- says
"api_key" of "gw_auth_provider" "partners" needs "gw_auth_redis URL"



=== TEST 231: gw_auth_revocations without gw_auth_redis
--- more
gw_auth_revocations key=a;
--- says
"gw_auth_revocations" needs "gw_auth_redis URL", where they are kept



=== TEST 232: introspect without its location
--- more
gw_auth_zone ids:1m;
gw_auth_provider sessions { introspect uri=/ask; subject prefix=s:; }
--- says
"introspect" of "gw_auth_provider" "sessions": no server has "location = /ask"



=== TEST 233: introspect with a prefix location only
--- more
gw_auth_zone ids:1m;
gw_auth_provider sessions { introspect uri=/ask; subject prefix=s:; }
--- config
location / { gw_auth accounts; proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM; }
location /ask { return 200; }
--- says
"introspect" of "gw_auth_provider" "sessions": no server has "location = /ask"



=== TEST 234: introspect with an unknown server
--- more
gw_auth_zone ids:1m;
gw_auth_provider sessions { introspect uri=/ask server=auth; subject prefix=s:; }
--- config
location / { gw_auth accounts; proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM; }
location = /ask { return 200; }
--- says
"introspect" of "gw_auth_provider" "sessions": no server has the first name "auth"



=== TEST 235: jwks with an unknown server
--- more
gw_auth_provider b { issuer b; audience a; jwks uri=/k server=auth; subject prefix=b:; }
--- says
"jwks" of "gw_auth_provider" "b": no server has the first name "auth"



=== TEST 236: an unknown fallback
--- more
gw_auth_zone ids:1m;
gw_auth_provider sessions { introspect uri=/ask; fallback b; subject prefix=s:; }
--- says
the "fallback" "b" of "gw_auth_provider" "sessions" is unknown: define it by "gw_auth_provider"



=== TEST 237: a fallback on itself
--- more
gw_auth_zone ids:1m;
gw_auth_provider sessions { introspect uri=/ask; fallback sessions; subject prefix=s:; }
--- says
the "fallback" "sessions" of "gw_auth_provider" "sessions" verifies no JWT: name a provider with "jwks"



=== TEST 238: a fallback on API keys
--- more
gw_auth_zone ids:1m;
gw_auth_provider sessions { introspect uri=/ask; fallback partners; subject prefix=s:; }
gw_auth_redis $TEST_NGINX_REDIS;
gw_auth_provider partners { api_key header=X-API-Key; subject prefix=p:; }
--- says
the "fallback" "partners" of "gw_auth_provider" "sessions" verifies no JWT: name a provider with "jwks"



=== TEST 239: a fallback before its provider
--- more
gw_auth_zone ids:1m;
gw_auth_provider sessions { introspect uri=/ask; fallback accounts; subject prefix=s:; }
--- config
location / { gw_auth accounts; proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM; }
location = /ask { proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM; }
location /b { gw_auth accounts sessions; }
--- says
"gw_auth" names "accounts" before "sessions", whose "fallback" it is: its tokens would never be introspected



=== TEST 240: a provider behind one that takes all bearer tokens
--- more
gw_auth_zone ids:1m;
gw_auth_provider sessions { introspect uri=/ask; subject prefix=s:; }
--- config
location / { gw_auth accounts; proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM; }
location = /ask { proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM; }
location /b { gw_auth sessions accounts; }
--- says
"accounts" in "gw_auth" is never reached: providers before it take every credential from its places



=== TEST 241: a provider behind two that take all its places
--- more
gw_auth_zone ids:1m;
gw_auth_provider sessions { introspect uri=/ask; subject prefix=s:; }
gw_auth_redis $TEST_NGINX_REDIS;
gw_auth_provider partners { api_key header=X-API-Key; subject prefix=p:; }
gw_auth_provider b { issuer b; audience a; jwks file=$TEST_NGINX_KEYS/jwks.json; subject prefix=b:; credential bearer header=X-Api-Key; }
--- config
location / { gw_auth accounts; proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM; }
location = /ask { proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM; }
location /b { gw_auth partners sessions b; }
--- says
"b" in "gw_auth" is never reached: providers before it take every credential from its places



=== TEST 242: a provider with a place left is reached
--- more
gw_auth_zone ids:1m;
gw_auth_provider sessions { introspect uri=/ask; subject prefix=s:; }
gw_auth_provider b { issuer b; audience a; jwks file=$TEST_NGINX_KEYS/jwks.json; subject prefix=b:; credential bearer cookie=b; }
--- config
location / { gw_auth accounts; proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM; }
location = /ask { proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM; }
location /b { gw_auth sessions b; }
--- says
OK



=== TEST 243: an introspecting provider behind one of JWTs
--- more
gw_auth_zone ids:1m;
gw_auth_provider sessions { introspect uri=/ask; subject prefix=s:; }
--- config
location / { gw_auth accounts; proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM; }
location = /ask { proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM; }
location /b { gw_auth accounts sessions; }
--- says
OK



=== TEST 244: a fallback that is no provider of the location
--- more
gw_auth_zone ids:1m;
gw_auth_provider sessions { introspect uri=/ask; fallback accounts; subject prefix=s:; }
--- config
location / { gw_auth accounts; proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM; }
location = /ask { proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM; }
location /b { gw_auth sessions; }
--- says
OK



=== TEST 245: the same provider twice
--- config
gw_auth accounts accounts;
--- says
"gw_auth" names "accounts" twice



=== TEST 246: an introspecting provider needs no issuer, and may have one
--- more
gw_auth_zone ids:1m;
gw_auth_provider s { introspect uri=/ask server=localhost cache=0 timeout=1s max=1; subject prefix=s:; issuer https://accounts.test; audience a; leeway 0; claims tier=a; credential cookie=s; }
--- config
location / { gw_auth accounts; proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM; }
location = /ask { proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM; }
--- says
OK



=== TEST 247: API keys
--- more
gw_auth_zone ids:1m;
gw_auth_redis $TEST_NGINX_REDIS;
gw_auth_provider p { api_key header=X-API-Key cookie=key query=key prefix= cache=0; subject prefix=s:; claims tier=plan; }
--- no_error_log
[alert]
--- says
OK



=== TEST 248: keys from a location
--- more
gw_auth_provider b { issuer b; audience off; jwks uri=/k refresh=1d stale=0 cooldown=1s timeout=1m; subject prefix=s:; }
--- config
location / { gw_auth accounts; proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM; }
location = /k { return 404; }
--- no_error_log
[alert]
--- says
OK



=== TEST 249: an API key provider without subject among several
--- more
gw_auth_zone ids:1m;
gw_auth_redis $TEST_NGINX_REDIS;
gw_auth_provider p { api_key header=A; }
--- says
"gw_auth_provider" "p" has no "subject": with several providers say "subject prefix=TEXT", or "subject shared" if their users are the same



=== TEST 250: an API key provider with the prefix of another
--- more
gw_auth_zone ids:1m;
gw_auth_redis $TEST_NGINX_REDIS;
gw_auth_provider partners { api_key header=X-API-Key; subject prefix=p:; }
gw_auth_provider sessions { introspect uri=/ask; subject prefix=p:; }
--- says
"gw_auth_provider" "partners" and "sessions" have the same prefix in "subject"



=== TEST 251: gw_auth_zone ids
--- more
gw_auth_zone ids;
--- says
"gw_auth_zone" directive must look like "gw_auth_zone NAME:SIZE"



=== TEST 252: gw_auth_zone ids:
--- more
gw_auth_zone ids:;
--- says
"gw_auth_zone" directive must have a size from 1m to 64g



=== TEST 253: gw_auth_zone :1m
--- more
gw_auth_zone :1m;
--- says
"gw_auth_zone" directive must look like "gw_auth_zone NAME:SIZE"



=== TEST 254: gw_auth_zone ids:1023k
--- more
gw_auth_zone ids:1023k;
--- says
"gw_auth_zone" directive must have a size from 1m to 64g



=== TEST 255: gw_auth_zone ids:65g
--- more
gw_auth_zone ids:65g;
--- says
"gw_auth_zone" directive must have a size from 1m to 64g



=== TEST 256: gw_auth_zone ids:-1
--- more
gw_auth_zone ids:-1;
--- says
"gw_auth_zone" directive must have a size from 1m to 64g



=== TEST 257: gw_auth_zone ids:1x
--- more
gw_auth_zone ids:1x;
--- says
"gw_auth_zone" directive must have a size from 1m to 64g



=== TEST 258: gw_auth_zone ""
--- more
gw_auth_zone "";
--- says
"gw_auth_zone" directive must look like "gw_auth_zone NAME:SIZE"



=== TEST 259: gw_auth_zone twice
--- more
gw_auth_zone ids:1m; gw_auth_zone ids:1m;
--- says
"gw_auth_zone" directive is duplicate



=== TEST 260: gw_auth_zone with the name of another zone
--- more
limit_req_zone $uri zone=ids:2m rate=1r/s;
gw_auth_zone ids:1m;
--- says
shared memory zone "ids" is already



=== TEST 261: gw_auth_zone in a server
--- config
gw_auth_zone ids:1m;
--- says
"gw_auth_zone" directive is not allowed here



=== TEST 262: gw_auth_redis with http
--- more
gw_auth_redis http://127.0.0.1;
--- says
wrong URL in "gw_auth_redis": it must look like redis://[[user]:password@]host[:port][,host[:port]...][/database], the same with rediss://, or unix:/path[:database]



=== TEST 263: gw_auth_redis twice
--- more
gw_auth_redis $TEST_NGINX_REDIS; gw_auth_redis $TEST_NGINX_REDIS;
--- says
"gw_auth_redis" directive is duplicate



=== TEST 264: gw_auth_redis with a second URL
--- more
gw_auth_redis $TEST_NGINX_REDIS redis://:secret@127.0.0.1;
--- says
"gw_auth_redis" directive takes one URL and, behind it, only "timeout=", "sentinel=", "cluster", "sentinel_auth=", "ca=", "certificate=", "certificate_key=" and "server_name="



=== TEST 265: gw_auth_redis timeout=0
--- more
gw_auth_redis $TEST_NGINX_REDIS timeout=0;
--- says
"gw_auth_redis" directive takes a "timeout=" between 1ms and 10s



=== TEST 266: gw_auth_redis timeout=11s
--- more
gw_auth_redis $TEST_NGINX_REDIS timeout=11s;
--- says
"gw_auth_redis" directive takes a "timeout=" between 1ms and 10s



=== TEST 267: gw_auth_redis timeout=x
--- more
gw_auth_redis $TEST_NGINX_REDIS timeout=x;
--- says
"gw_auth_redis" directive takes a "timeout=" between 1ms and 10s



=== TEST 268: gw_auth_redis timeout=
--- more
gw_auth_redis $TEST_NGINX_REDIS timeout=;
--- says
"gw_auth_redis" directive takes "timeout=" once, between 1ms and 10s



=== TEST 269: gw_auth_revocations refresh=1s
--- more
gw_auth_redis $TEST_NGINX_REDIS; gw_auth_revocations refresh=1s;
--- says
"gw_auth_revocations" directive needs "key=NAME", the stream in Redis



=== TEST 270: gw_auth_revocations key=
--- more
gw_auth_redis $TEST_NGINX_REDIS; gw_auth_revocations key=;
--- says
"gw_auth_revocations" directive has an invalid parameter "key=": it takes the name of a stream in Redis



=== TEST 271: gw_auth_revocations gw:revoked
--- more
gw_auth_redis $TEST_NGINX_REDIS; gw_auth_revocations gw:revoked;
--- says
"gw_auth_revocations" directive has an unknown parameter "gw:revoked", there is "key=" "refresh=" "stale=" "error=" "size="



=== TEST 272: gw_auth_revocations key=a key=b
--- more
gw_auth_redis $TEST_NGINX_REDIS; gw_auth_revocations key=a key=b;
--- says
"gw_auth_revocations" directive takes "key=" only once



=== TEST 273: gw_auth_revocations key=a refresh=99ms
--- more
gw_auth_redis $TEST_NGINX_REDIS; gw_auth_revocations key=a refresh=99ms;
--- says
"gw_auth_revocations" directive has an invalid parameter "refresh=99ms": it takes a time from 100ms to 1m



=== TEST 274: gw_auth_revocations key=a refresh=61s
--- more
gw_auth_redis $TEST_NGINX_REDIS; gw_auth_revocations key=a refresh=61s;
--- says
"gw_auth_revocations" directive has an invalid parameter "refresh=61s": it takes a time from 100ms to 1m



=== TEST 275: gw_auth_revocations key=a stale=999ms
--- more
gw_auth_redis $TEST_NGINX_REDIS; gw_auth_revocations key=a stale=999ms;
--- says
"gw_auth_revocations" directive has an invalid parameter "stale=999ms": it takes a time from 1s to 1d



=== TEST 276: gw_auth_revocations key=a stale=25h
--- more
gw_auth_redis $TEST_NGINX_REDIS; gw_auth_revocations key=a stale=25h;
--- says
"gw_auth_revocations" directive has an invalid parameter "stale=25h": it takes a time from 1s to 1d



=== TEST 277: gw_auth_revocations key=a stale=19s refresh=10s
--- more
gw_auth_redis $TEST_NGINX_REDIS; gw_auth_revocations key=a stale=19s refresh=10s;
--- says
"gw_auth_revocations" directive needs a "stale=" of at least twice "refresh="



=== TEST 278: gw_auth_revocations key=a error=
--- more
gw_auth_redis $TEST_NGINX_REDIS; gw_auth_revocations key=a error=;
--- says
"gw_auth_revocations" directive has an invalid parameter "error=": it takes "deny" or "allow"



=== TEST 279: gw_auth_revocations key=a error=pass
--- more
gw_auth_redis $TEST_NGINX_REDIS; gw_auth_revocations key=a error=pass;
--- says
"gw_auth_revocations" directive takes "error=deny" or "error=allow"



=== TEST 280: gw_auth_revocations key=a size=63k
--- more
gw_auth_redis $TEST_NGINX_REDIS; gw_auth_revocations key=a size=63k;
--- says
"gw_auth_revocations" directive has an invalid parameter "size=63k": it takes a size from 64k to 1024m



=== TEST 281: gw_auth_revocations key=a size=1025m
--- more
gw_auth_redis $TEST_NGINX_REDIS; gw_auth_revocations key=a size=1025m;
--- says
"gw_auth_revocations" directive has an invalid parameter "size=1025m": it takes a size from 64k to 1024m



=== TEST 282: gw_auth_revocations twice
--- more
gw_auth_redis $TEST_NGINX_REDIS; gw_auth_revocations key=a; gw_auth_revocations key=b;
--- says
"gw_auth_revocations" directive is duplicate



=== TEST 283: gw_auth_revocations with everything
--- more
gw_auth_redis $TEST_NGINX_REDIS; gw_auth_revocations key=a refresh=100ms stale=1s error=allow size=64k;
--- config
location / { proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM; }
--- no_error_log
[alert]
--- says
OK



=== TEST 284: gw_auth_require scope
--- config
gw_auth_require scope;
--- says
invalid parameter "scope" of "gw_auth_require": it must look like NAME=VALUE[,VALUE...]



=== TEST 285: gw_auth_require =a
--- config
gw_auth_require =a;
--- says
invalid parameter "=a" of "gw_auth_require": it must look like NAME=VALUE[,VALUE...]



=== TEST 286: gw_auth_require scope=
--- config
gw_auth_require scope=;
--- says
invalid parameter "scope=" of "gw_auth_require": it must look like NAME=VALUE[,VALUE...]



=== TEST 287: gw_auth_require scope=a,
--- config
gw_auth_require scope=a,;
--- says
invalid parameter "scope=a," of "gw_auth_require": it must look like NAME=VALUE[,VALUE...]



=== TEST 288: gw_auth_require scope=,a
--- config
gw_auth_require scope=,a;
--- says
invalid parameter "scope=,a" of "gw_auth_require": it must look like NAME=VALUE[,VALUE...]



=== TEST 289: gw_auth_require scope=a,,b
--- config
gw_auth_require scope=a,,b;
--- says
invalid parameter "scope=a,,b" of "gw_auth_require": it must look like NAME=VALUE[,VALUE...]



=== TEST 290: gw_auth_require scope=a plan
--- config
gw_auth_require scope=a plan;
--- says
invalid parameter "plan" of "gw_auth_require": it must look like NAME=VALUE[,VALUE...]



=== TEST 291: gw_auth_require off scope=a
--- config
gw_auth_require off scope=a;
--- says
invalid parameter "off" of "gw_auth_require": it must look like NAME=VALUE[,VALUE...]



=== TEST 292: gw_auth_require with a quote in a scope
--- config
gw_auth_require 'scope=a"b';
--- says
invalid parameter "scope=a"b" of "gw_auth_require"



=== TEST 293: gw_auth_require with a blank in a scope
--- config
gw_auth_require 'scope=a b';
--- says
invalid parameter "scope=a b" of "gw_auth_require"



=== TEST 294: gw_auth_require with a backslash in a scope
--- config
gw_auth_require 'scope=a\b';
--- says
invalid parameter "scope=a\b" of "gw_auth_require"



=== TEST 295: gw_auth_require with a blank in a claim
--- config
location /a { gw_auth accounts; gw_auth_require 'plan=a b' scope=a:b,c; }
location / { gw_auth accounts; proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM; }

--- says
OK



=== TEST 296: gw_auth_require without arguments
--- config
gw_auth_require;
--- says
invalid number of arguments in "gw_auth_require" directive



=== TEST 297: gw_auth_require twice
--- config
gw_auth_require a=b; gw_auth_require off;
--- says
"gw_auth_require" directive is duplicate



=== TEST 298: gw_auth_require in an if
--- config
location / { if ($arg_a) { gw_auth_require a=b; } }
--- says
"gw_auth_require" directive is not allowed here



=== TEST 299: gw_auth_require where gw_auth is off
--- config
location /a {
    gw_auth_require  scope=a;
    location /a/b { gw_auth accounts; }
}
location /c {
    gw_auth          accounts;
    gw_auth_require  scope=a;
}
location / { proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM; }
--- error_log
"gw_auth_require" asks nothing in location "/a", where "gw_auth" is off
--- no_error_log
"gw_auth_require" asks nothing in location "/a/b"
"gw_auth_require" asks nothing in location "/c"
"gw_auth_require" asks nothing in location "/"
--- says
OK



=== TEST 300: gw_auth_forward maybe
--- config
gw_auth_forward maybe;
--- says
invalid value "maybe" in "gw_auth_forward" directive, it must be "on" or "off"



=== TEST 301: gw_auth_fallback maybe
--- config
gw_auth_fallback maybe;
--- says
invalid value "maybe" in "gw_auth_fallback" directive, it must be "on" or "off"



=== TEST 302: gw_passport with audience twice
--- more
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
gw_passport audience=a audience=b;
--- says
invalid parameter "audience=b" of "gw_passport"



=== TEST 303: gw_passport with issuer twice
--- more
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
gw_passport audience=a issuer=a issuer=b;
--- says
invalid parameter "issuer=b" of "gw_passport"



=== TEST 304: gw_passport with ttl twice
--- more
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
gw_passport audience=a ttl=1s ttl=2s;
--- says
invalid parameter "ttl=2s" of "gw_passport"



=== TEST 305: gw_passport_claim without a value
--- config
gw_passport_claim plan;
--- says
"gw_passport_claim" directive takes a name and a value, or "off"



=== TEST 306: gw_passport_claim off behind others
--- config
gw_passport_claim a b; gw_passport_claim off;
--- says
"gw_passport_claim" directive takes "off" alone



=== TEST 307: gw_passport_claim off before others
--- config
gw_passport_claim off; gw_passport_claim a b;
--- says
"gw_passport_claim" directive takes "off" alone



=== TEST 308: gw_passport_claim iss
--- config
gw_passport_claim iss a;
--- says
"gw_passport_claim" "iss" is a claim of the passport itself, choose another name



=== TEST 309: gw_passport_claim sub
--- config
gw_passport_claim sub a;
--- says
"gw_passport_claim" "sub" is a claim of the passport itself, choose another name



=== TEST 310: gw_passport_claim aud
--- config
gw_passport_claim aud a;
--- says
"gw_passport_claim" "aud" is a claim of the passport itself, choose another name



=== TEST 311: gw_passport_claim exp
--- config
gw_passport_claim exp a;
--- says
"gw_passport_claim" "exp" is a claim of the passport itself, choose another name



=== TEST 312: gw_passport_claim iat
--- config
gw_passport_claim iat a;
--- says
"gw_passport_claim" "iat" is a claim of the passport itself, choose another name



=== TEST 313: gw_passport_claim nbf
--- config
gw_passport_claim nbf a;
--- says
"gw_passport_claim" "nbf" is a claim of the passport itself, choose another name



=== TEST 314: gw_passport_claim jti
--- config
gw_passport_claim jti a;
--- says
"gw_passport_claim" "jti" is a claim of the passport itself, choose another name



=== TEST 315: gw_passport_claim ver
--- config
gw_passport_claim ver a;
--- says
"gw_passport_claim" "ver" is a claim of the passport itself, choose another name



=== TEST 316: gw_passport_claim src
--- config
gw_passport_claim src a;
--- says
"gw_passport_claim" "src" is a claim of the passport itself, choose another name



=== TEST 317: gw_passport_claim lvl
--- config
gw_passport_claim lvl a;
--- says
"gw_passport_claim" "lvl" is a claim of the passport itself, choose another name



=== TEST 318: gw_passport_claim tier
--- config
gw_passport_claim tier a;
--- says
"gw_passport_claim" "tier" is a claim of the passport itself, choose another name



=== TEST 319: gw_passport_claim scope
--- config
gw_passport_claim scope a;
--- says
"gw_passport_claim" "scope" is a claim of the passport itself, choose another name



=== TEST 320: gw_passport_claim cli
--- config
gw_passport_claim cli a;
--- says
"gw_passport_claim" "cli" is a claim of the passport itself, choose another name



=== TEST 321: gw_passport_claim deg
--- config
gw_passport_claim deg a;
--- says
"gw_passport_claim" "deg" is a claim of the passport itself, choose another name



=== TEST 322: gw_passport_claim twice
--- config
gw_passport_claim a b; gw_passport_claim a c;
--- says
"gw_passport_claim" "a" is duplicate



=== TEST 323: gw_passport_claim without a name
--- config
gw_passport_claim "" b;
--- says
"gw_passport_claim" "" is no name of 1 to 64 bytes of UTF-8 without control characters



=== TEST 324: gw_passport_claim with a long name
--- config eval
"gw_passport_claim " . "x" x 65 . " b;"
--- says
is no name of 1 to 64 bytes of UTF-8 without control characters



=== TEST 325: gw_passport_claim with a name that is not UTF-8
--- config eval
"gw_passport_claim \xff b;"
--- says
is no name of 1 to 64 bytes of UTF-8 without control characters



=== TEST 326: gw_passport_claim with an unknown variable
--- config
gw_passport_claim a $nothing;
--- says
unknown "nothing" variable



=== TEST 327: 33 claims
--- config eval
join "", map { "gw_passport_claim c$_ b;\n" } 1 .. 33
--- says
"gw_passport_claim" "c33" is one too many: there may be 32



=== TEST 328: 32 claims, and another list in a location
--- config eval
join("", map { "gw_passport_claim c$_ b;\n" } 1 .. 32) . "location / { gw_passport_claim c1 d; gw_auth accounts; proxy_pass http://127.0.0.1:\$TEST_NGINX_UPSTREAM; } location /b { gw_passport_claim off; }"
--- says
OK



=== TEST 329: gw_passport_header ""
--- config
gw_passport_header "";
--- says
"gw_passport_header" directive must be the name of a header, of 1 to 64 letters, digits, or "-"



=== TEST 330: gw_passport_header X_Passport
--- config
gw_passport_header X_Passport;
--- says
"gw_passport_header" directive must be the name of a header, of 1 to 64 letters, digits, or "-"



=== TEST 331: gw_passport_header X.Id
--- config
gw_passport_header X.Id;
--- says
"gw_passport_header" directive must be the name of a header, of 1 to 64 letters, digits, or "-"



=== TEST 332: gw_passport_header "X Id"
--- config
gw_passport_header "X Id";
--- says
"gw_passport_header" directive must be the name of a header, of 1 to 64 letters, digits, or "-"



=== TEST 333: gw_passport_header X-Id:
--- config
gw_passport_header X-Id:;
--- says
"gw_passport_header" directive must be the name of a header, of 1 to 64 letters, digits, or "-"



=== TEST 334: gw_passport_header with a long name
--- config eval
"gw_passport_header " . "x" x 65 . ";"
--- says
"gw_passport_header" directive must be the name of a header, of 1 to 64 letters, digits, or "-"



=== TEST 335: gw_passport_header Authorization
--- config
gw_passport_header Authorization;
--- says
"gw_passport_header" directive must not be a header that HTTP or nginx knows



=== TEST 336: gw_passport_header host
--- config
gw_passport_header host;
--- says
"gw_passport_header" directive must not be a header that HTTP or nginx knows



=== TEST 337: gw_passport_header CONTENT-LENGTH
--- config
gw_passport_header CONTENT-LENGTH;
--- says
"gw_passport_header" directive must not be a header that HTTP or nginx knows



=== TEST 338: gw_passport_header Transfer-Encoding
--- config
gw_passport_header Transfer-Encoding;
--- says
"gw_passport_header" directive must not be a header that HTTP or nginx knows



=== TEST 339: gw_passport_header te
--- config
gw_passport_header te;
--- says
"gw_passport_header" directive must not be a header that HTTP or nginx knows



=== TEST 340: gw_passport_header Cookie
--- config
gw_passport_header Cookie;
--- says
"gw_passport_header" directive must not be a header that HTTP or nginx knows



=== TEST 341: gw_passport_header Upgrade
--- config
gw_passport_header Upgrade;
--- says
"gw_passport_header" directive must not be a header that HTTP or nginx knows



=== TEST 342: gw_passport_header twice
--- config
gw_passport_header A; gw_passport_header B;
--- says
"gw_passport_header" directive is duplicate



=== TEST 343: gw_passport_header
--- more
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- config
gw_passport_header X-Id;
location / { gw_auth accounts; gw_passport audience=a; gw_passport_header Id; proxy_pass http://127.0.0.1:$TEST_NGINX_UPSTREAM; }
--- says
OK



=== TEST 344: gw_passport_key with alg=ES256
--- more
gw_passport_key k $TEST_NGINX_KEYS/hs.key alg=ES256;
--- says
"gw_passport_key" directive takes a third parameter "alg=HS256" only, other keys tell their algorithm



=== TEST 345: gw_passport_key with alg=HS512
--- more
gw_passport_key k $TEST_NGINX_KEYS/hs.key alg=HS512;
--- says
"gw_passport_key" directive takes a third parameter "alg=HS256" only, other keys tell their algorithm



=== TEST 346: gw_passport_key with alg=
--- more
gw_passport_key k $TEST_NGINX_KEYS/hs.key alg=;
--- says
"gw_passport_key" directive takes a third parameter "alg=HS256" only, other keys tell their algorithm



=== TEST 347: gw_passport_key with HS256
--- more
gw_passport_key k $TEST_NGINX_KEYS/hs.key HS256;
--- says
"gw_passport_key" directive takes a third parameter "alg=HS256" only, other keys tell their algorithm



=== TEST 348: gw_passport_key with a short secret
--- http_config
gw_passport_key k $TEST_NGINX_HTML/keys alg=HS256;
--- keys eval
"0123456789 abcdef"
--- says
"gw_passport_key" "k": "$TEST_NGINX_HTML/keys" holds a secret under 32 bytes



=== TEST 349: gw_passport_key with a secret without alg=HS256
--- http_config
gw_passport_key k $TEST_NGINX_HTML/keys;
--- keys eval
"0123456789 abcdef" x 2
--- says
"gw_passport_key" "k": "$TEST_NGINX_HTML/keys" contains no private key in PEM



=== TEST 350: gw_passport_key with a secret, which is not published
--- more
gw_passport_key k $TEST_NGINX_KEYS/secret alg=HS256;
--- config
location / { gw_passport_jwks; }
--- response_body
{"keys":[]}
--- says
OK



=== TEST 351: a secret before keys that are published
--- more
gw_passport_key a $TEST_NGINX_KEYS/secret alg=HS256;
gw_passport_key b $TEST_NGINX_KEYS/passport.pem;
gw_passport_key c $TEST_NGINX_KEYS/secret alg=HS256;
gw_passport_key d $TEST_NGINX_KEYS/ed.pem;
--- config
location / { gw_passport_jwks; }
--- response_body_like eval
qr/\A\{"keys":\[\{[^{}]*"kid":"b"[^{}]*\},\{[^{}]*"kid":"d"[^{}]*\}\]\}\n\z/
--- says
OK



=== TEST 352: a key that others can read
--- more
gw_passport_key k $TEST_NGINX_KEYS/readable.pem;
--- error_log
/readable.pem" can be read by others than its owner
--- says
OK



=== TEST 353: a key that only its owner can read
--- more
gw_passport_key k $TEST_NGINX_KEYS/passport.pem;
--- no_error_log
can be read by others
[emerg]
--- says
OK



=== TEST 354: a provider with a line feed in its name
--- http_config
gw_auth_provider "a\nb" { issuer https://accounts.test; audience a; jwks file=$TEST_NGINX_KEYS/jwks.json; }
--- says
"gw_auth_provider" directive needs a name without control characters



=== TEST 355: a provider with a DEL in its name
--- http_config eval
"gw_auth_provider a\x7f { issuer https://accounts.test; audience a; jwks file=\$TEST_NGINX_KEYS/jwks.json; }\n"
--- says
"gw_auth_provider" directive needs a name without control characters
