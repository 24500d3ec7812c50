# Copyright (C) The nginx gateway modules authors

# Tokens that must not pass.  Each block sends a bad one and then a good one:
# the first is answered by 401 with one and the same body, and the second one
# passes, so nothing of the first is left behind.  See GWAuth.

use strict;
use warnings;

use Test::Nginx::Socket 'no_plan';
use GWAuth;


our $rsa = "$ENV{TEST_NGINX_KEYS}/rsa.pub.pem";
our $n = 0;

# a good token, changed by a substitution of one of its three parts

sub changed {
    my ($i, $from, $to) = @_;

    my @part = split /\./, token(claims => { jti => $n++ });

    $part[$i] =~ s/$from/$to/ or return changed(@_);

    return join '.', @part;
}

# without HS256 a test of its absence proves nothing

our $with_hmac = <<'END';
    gw_auth_provider accounts {
        issuer      https://accounts.test;
        audience    gateway;
        algorithms  RS256 HS256 HS384 HS512;
        jwks        file=$TEST_NGINX_KEYS/rsa.pub.pem;
    }
END

run_tests();

__DATA__

=== TEST 1: signed by a key nobody published, under the name of a good one
--- token eval
token(key => 'forged', header => { kid => 'rsa' })
--- reason
bad_signature



=== TEST 2: signed by a key nobody published, under its own name
--- token eval
token(key => 'forged')
--- reason
unknown_key



=== TEST 3: signed by a key nobody published, without a name
--- token eval
token(key => 'forged', header => { kid => undef })
--- reason
bad_signature



=== TEST 4: a good key under the name of another good one
--- token eval
token(key => 'ec', header => { kid => 'rsa' })
--- reason
unknown_key



=== TEST 5: not signed, alg none
--- token eval
token(alg => 'none', header => { alg => 'none' })
--- reason
bad_algorithm



=== TEST 6: not signed, alg None
--- token eval
token(alg => 'none', header => { alg => 'None' })
--- reason
bad_algorithm



=== TEST 7: not signed, alg NONE, under no name
--- token eval
token(alg => 'none', header => { alg => 'NONE', kid => undef })
--- reason
bad_algorithm



=== TEST 8: the signature is cut off
--- token eval
token(alg => 'none', header => { alg => 'RS256' })
--- reason
bad_signature



=== TEST 9: alg in lower case
--- token eval
token(header => { alg => 'rs256' })
--- reason
bad_algorithm



=== TEST 10: no alg
--- token eval
token(header => { alg => undef })
--- reason
malformed



=== TEST 11: HS256 signed by the text of the RSA public key
--- token eval
token(alg => 'HS256', header => { alg => 'HS256' }, secret => file($::rsa))
--- reason
bad_algorithm



=== TEST 12: the same, where HS256 is allowed and the key is in PEM
--- http_config eval
$::with_hmac
--- token eval
token(alg => 'HS256', header => { alg => 'HS256' }, secret => file($::rsa))
--- reason
unknown_key



=== TEST 13: HS384 signed by the RSA public key in DER
--- http_config eval
$::with_hmac
--- token eval
token(alg => 'HS384', header => { alg => 'HS384', kid => undef },
      secret => MIME::Base64::decode_base64(file($::rsa) =~ s/-+[^-]+-+//gr))
--- reason
unknown_key



=== TEST 14: HS512 signed by an empty secret
--- http_config eval
$::with_hmac
--- token eval
token(alg => 'HS512', header => { alg => 'HS512' }, secret => '')
--- reason
unknown_key



=== TEST 15: another algorithm than the key is pinned to
--- http_config
    gw_auth_provider accounts {
        issuer      https://accounts.test;
        audience    gateway;
        algorithms  RS256 RS512 PS256;
        jwks        file=$TEST_NGINX_KEYS/rsa.jwks.json;
    }
--- token eval
token(alg => 'RS512', header => { alg => 'RS512' })
--- reason
unknown_key



=== TEST 16: another algorithm than the provider allows
--- token eval
token(alg => 'RS512', header => { alg => 'RS512' })
--- reason
bad_algorithm



=== TEST 17: the header says RS256, the signature is PS256
--- token eval
token(alg => 'PS256', header => { alg => 'RS256' })
--- reason
bad_signature



=== TEST 18: an embedded key (jwk)
--- token eval
token(key => 'forged', header => {
    kid => 'rsa',
    jwk => JSON::PP::decode_json(file('forged.jwks.json'))->{keys}[0],
})
--- reason
bad_signature



=== TEST 19: a key to be fetched (jku, x5u) and a certificate (x5c)
--- token eval
token(key => 'forged', header => {
    kid => undef, jku => 'http://127.0.0.1:1/', x5u => 'http://127.0.0.1:1/',
    x5c => ['MIIB'],
})
--- reason
bad_signature



=== TEST 20: a critical extension
--- token eval
token(header => { crit => ['exp'], exp => 1 })
--- reason
unsupported_critical



=== TEST 21: an empty list of critical extensions
--- token eval
token(header => { crit => [] })
--- reason
unsupported_critical



=== TEST 22: b64 false
--- token eval
token(header => { crit => ['b64'], b64 => JSON::PP::false })
--- reason
unsupported_critical



=== TEST 23: expired beyond the leeway of 30 seconds
--- token eval
token(claims => { exp => time() - 31 })
--- reason
expired



=== TEST 24: not valid yet
--- token eval
token(claims => { nbf => time() + 3600 })
--- reason
not_yet_valid



=== TEST 25: issued in the future
--- token eval
token(claims => { iat => time() + 3600 })
--- reason
not_yet_valid



=== TEST 26: without exp
--- token eval
token(claims => { exp => undef })
--- reason
missing_expiry



=== TEST 27: exp is a string
--- token eval
token(claims => { exp => '' . (time() + 3600) })
--- reason
bad_claim



=== TEST 28: exp beyond all numbers
--- token eval
token(body => '{"iss":"https://accounts.test","aud":"gateway","sub":"alice",'
              . '"exp":1e400}')
--- reason
malformed



=== TEST 29: exp in milliseconds
--- token eval
token(claims => { exp => (time() + 3600) * 1000 })
--- reason
bad_claim



=== TEST 30: negative exp
--- token eval
token(claims => { exp => -1 })
--- reason
bad_claim



=== TEST 31: another audience
--- token eval
token(claims => { aud => 'web' })
--- reason
wrong_audience



=== TEST 32: an audience with a NUL behind it
--- token eval
token(claims => { aud => "gateway\0" })
--- reason
malformed



=== TEST 33: another issuer
--- token eval
token(claims => { iss => 'https://accounts.test/' })
--- reason
wrong_issuer



=== TEST 34: no issuer
--- token eval
token(claims => { iss => undef })
--- reason
wrong_issuer



=== TEST 35: issuers in a list
--- token eval
token(claims => { iss => ['https://accounts.test'] })
--- reason
wrong_issuer



=== TEST 36: of one issuer, signed by the key of another one of the same name
--- http_config
    gw_auth_provider accounts {
        issuer    https://accounts.test;
        audience  gateway;
        jwks      file=$TEST_NGINX_KEYS/rsa.jwks.json;
        subject   shared;
    }
    gw_auth_provider partners {
        issuer    https://partners.test;
        audience  gateway;
        jwks      file=$TEST_NGINX_HTML/partners.json;
        subject   shared;
    }
--- config
    location / {
        gw_auth     accounts partners;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- user_files eval
[["partners.json", file('forged.jwks.json') =~ s/"forged"/"rsa"/r]]
--- token eval
token(key => 'forged', header => { kid => 'rsa' })
--- reason
bad_signature



=== TEST 37: of one issuer, its name changed to another one's
--- http_config
    gw_auth_provider accounts {
        issuer    https://accounts.test;
        audience  gateway;
        jwks      file=$TEST_NGINX_KEYS/rsa.jwks.json;
        subject   shared;
    }
    gw_auth_provider partners {
        issuer    https://partners.test;
        audience  gateway;
        jwks      file=$TEST_NGINX_KEYS/ec.jwks.json;
        subject   shared;
    }
--- config
    location / {
        gw_auth     accounts partners;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- token eval
token(key => 'ec')
--- reason
unknown_key



=== TEST 38: a passport, even if its key were an issuer's
--- http_config
    gw_auth_provider accounts {
        issuer    https://accounts.test;
        audience  gateway;
        jwks      file=$TEST_NGINX_HTML/keys.pem;
    }
--- user_files eval
[["keys.pem", file('passport.pub.pem') . file('rsa.pub.pem')]]
--- token eval
token(key => 'passport', header => { typ => 'passport+jwt' })
--- reason
bad_type



=== TEST 39: another kind of token, in full
--- token eval
token(header => { typ => 'application/dpop+jwt' })
--- reason
bad_type



=== TEST 40: typ is not a string
--- token eval
token(header => { typ => ['JWT'] })
--- reason
bad_type



=== TEST 41: blanks in the token
--- token eval
token() =~ s/\./ ./r
--- reason
malformed



=== TEST 42: garbage behind the token
--- token eval
token() . '!'
--- reason
malformed



=== TEST 43: padding behind the token
--- token eval
token() . '=='
--- reason
malformed



=== TEST 44: a second word behind the token
--- token eval
token() . ' ' . token()
--- reason
malformed



=== TEST 45: a comma and more behind the token
--- token eval
token() . ', Basic Og=='
--- reason
malformed



=== TEST 46: four parts
--- token eval
token() . '.e30'
--- reason
malformed



=== TEST 47: two parts
--- token eval
token() =~ s/\.[^.]*\z//r
--- reason
malformed



=== TEST 48: five parts, as encrypted ones have
--- token
e30.e30.e30.e30.e30
--- reason
malformed



=== TEST 49: dots only
--- token
..
--- reason
malformed



=== TEST 50: the alphabet of base64, not of base64url
--- token eval
::changed(2, qr/[-_]/, '+')
--- reason
malformed



=== TEST 51: the unused bits of the last letter, RS256
--- token eval
# 256 bytes: the last letter carries 2 bits, those of A, Q, g, w
::changed(2, qr/([AQgw])\z/, 'B')
--- reason
malformed



=== TEST 52: one bit of the signature
--- token eval
::changed(2, qr/\A./, '-')
--- reason
bad_signature



=== TEST 53: one claim after signing
--- token eval
my @p = split /\./, token();
my @q = split /\./, token(claims => { tier => 'platinum' });
"$p[0].$q[1].$p[2]"
--- reason
bad_signature



=== TEST 54: the header after signing
--- token eval
my @p = split /\./, token();
my @q = split /\./, token(header => { typ => 'at+jwt' });
"$q[0].$p[1].$p[2]"
--- reason
bad_signature



=== TEST 55: an ES256 signature of zeros
--- token eval
my @p = split /\./, token(key => 'ec');
"$p[0].$p[1]." . "A" x 86
--- reason
bad_signature



=== TEST 56: an ES256 signature that is too long
--- token eval
my @p = split /\./, token(key => 'ec');
"$p[0].$p[1]." . "A" x 4000
--- reason
bad_signature



=== TEST 57: an ES256 signature in DER
--- token eval
my @p = split /\./, token(key => 'ec');
my $raw = MIME::Base64::decode_base64url($p[2]);
my ($r, $s) = map { ord > 127 ? "\0$_" : $_ } unpack '(a32)2', $raw;
my $der = "\x30" . pack 'C/a', "\2" . pack('C/a', $r) . "\2" . pack('C/a', $s);
"$p[0].$p[1]." . MIME::Base64::encode_base64url($der)
--- reason
bad_signature



=== TEST 58: an HS256 signature of one byte
--- http_config
    gw_auth_provider accounts {
        issuer      https://accounts.test;
        audience    gateway;
        algorithms  HS256 RS256;
        jwks        file=$TEST_NGINX_HTML/keys.json;
    }
--- user_files eval
[["keys.json", json({ keys => [
    map { JSON::PP::decode_json(file("$_.jwks.json"))->{keys}[0] }
        qw(hs rsa)] })]]
--- token eval
my @p = split /\./, token(key => 'hs');
"$p[0].$p[1].AA"
--- reason
bad_signature



=== TEST 59: a member twice in the header
--- token eval
token(head => '{"alg":"none","alg":"RS256","kid":"rsa"}')
--- reason
malformed



=== TEST 60: a claim twice
--- token eval
my $exp = time() + 3600;
token(body => '{"iss":"https://accounts.test","aud":"gateway","sub":"bob",'
              . "\"exp\":$exp,\"sub\":\"alice\"}")
--- reason
malformed



=== TEST 61: claims that are no object
--- token eval
token(body => '["alice"]')
--- reason
malformed



=== TEST 62: claims that are not UTF-8
--- token eval
my $exp = time() + 3600;
token(body => '{"iss":"https://accounts.test","aud":"gateway",'
              . "\"exp\":$exp,\"sub\":\"alice\xff\"}")
--- reason
malformed



=== TEST 63: claims in too many layers
--- token eval
token(body => '{"a":' . '[' x 1000 . ']' x 1000 . '}')
--- reason
malformed



=== TEST 64: no sub
--- token eval
token(claims => { sub => undef })
--- reason
bad_claim



=== TEST 65: an empty sub
--- token eval
token(claims => { sub => '' })
--- reason
bad_claim



=== TEST 66: sub is a number
--- token eval
token(claims => { sub => 7 })
--- reason
bad_claim



=== TEST 67: a line feed in sub
--- token eval
token(claims => { sub => "alice\r\nX-Admin: 1" })
--- reason
bad_claim



=== TEST 68: a NUL in sub
--- token eval
token(claims => { sub => "alice\0" })
--- reason
malformed



=== TEST 69: a sub without end
--- token eval
token(claims => { sub => "alice" x 52 })
--- reason
bad_claim



=== TEST 70: a control character in tier
--- token eval
token(claims => { tier => "gold\n" })
--- reason
bad_claim



=== TEST 71: tier without end
--- token eval
token(claims => { tier => "gold" x 17 })
--- reason
bad_claim



=== TEST 72: tier is an object
--- token eval
token(claims => { tier => { gold => 1 } })
--- reason
bad_claim



=== TEST 73: one scope that would become two
--- token eval
token(claims => { scope => ['orders:read orders:write'] })
--- reason
bad_claim



=== TEST 74: a control character in azp
--- token eval
token(claims => { azp => "web\x7f" })
--- reason
bad_claim



=== TEST 75: a name of a key as from a path, a query, or a format
--- token eval
token(header => { kid => "../../dev/null' OR 1=1 --%n%s\${x}" })
--- reason
unknown_key



=== TEST 76: a control character in the name of a key
--- token eval
token(header => { kid => "rsa\n" })
--- reason
malformed



=== TEST 77: a name of a key without end
--- token eval
token(header => { kid => 'rsa' x 200 })
--- reason
malformed



=== TEST 78: more than 16 KiB
--- config
    large_client_header_buffers  4 64k;

    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- token eval
token(claims => { more => 'x' x 13000 })
--- reason
too_long



=== TEST 79: more than 16 KiB of one letter
--- config
    large_client_header_buffers  4 64k;

    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- token eval
'.' x 60000
--- reason
too_long



=== TEST 80: a header of more than 8 KiB
--- config
    large_client_header_buffers  4 64k;

    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- token eval
token(header => { more => 'x' x 7000 })
--- reason
too_long



=== TEST 81: not base64 at all, and bytes above 127
--- token eval
"\xff\xfe.\x80.\xc3\xa4"
--- reason
malformed
