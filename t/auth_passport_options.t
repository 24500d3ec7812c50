# Copyright (C) The nginx gateway modules authors

# Passports with other keys, in other headers, and with claims of the user.
# PyJWT verifies them.

use strict;
use warnings;

use IPC::Open3;
use MIME::Base64 qw(encode_base64url);
use Test::Nginx::Socket 'no_plan';
use GWAuth;


config_preamble(<<'END');
    location = /jwks {
        gw_auth  off;
        gw_passport_jwks;
    }
END

$ENV{TEST_NGINX_H2} = GWAuth::start_h2();
$ENV{TEST_NGINX_ED25519} = user_key('ed25519', '-algorithm', 'ED25519');
$ENV{TEST_NGINX_ED448} = user_key('ed448', '-algorithm', 'ED448');

our $secret = 'a secret of 32 bytes or more, in a file';

our $provider = <<'END';
    gw_auth_provider accounts {
        issuer    https://accounts.test;
        audience  gateway;
        jwks      file=$TEST_NGINX_KEYS/jwks.json;
    }
END

our $location = <<'END';
    location / {
        gw_auth      accounts;
        gw_passport  audience=orders;
        proxy_pass   http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
END


# "ALG KID SUB" of the only passport in a text, or why it is refused; the keys
# are the published ones, unless given

sub signed {
    my ($alg, $jwks) = @_;

    return sub {
        my @found = shift =~ /^X-Passport: (\S+)$/gm;

        return scalar(@found) . " passports\n" if @found != 1;

        my $file = $ENV{TEST_NGINX_KEYS} . "/options.$$.json";

        GWAuth::spew($file, $jwks // GWAuth::get('/jwks'));

        my $pid = open3(my $in, my $out, undef, './t/lib/verify_jwt.py',
                        $file, 'orders', $alg);
        print $in $found[0];
        close($in);

        my $text = do { local $/; <$out> };
        waitpid($pid, 0);
        unlink($file);

        return "refused: $text" if $? != 0;

        my $p = JSON::PP::decode_json($text);

        return join(' ', @{$p->{header}}{qw(typ alg kid)}, $p->{claims}{sub})
               . "\n";
    };
}


sub shared_key {
    return json({ keys => [{ kty => 'oct', kid => 'hs', alg => 'HS256',
                             k => encode_base64url(shift) }] });
}


sub members {
    my $set = JSON::PP::decode_json(shift);

    return join '', map { my $key = $_;

        join(' ', map { "$_=" . (/\A[xy]\z/ ? '' : $key->{$_}) }
                  sort keys %$key) . "\n";
    } @{$set->{keys}};
}


# names of the headers that may tell who calls, and whether ours is genuine

sub carried {
    my $text = shift;

    my %headers = $text =~ /^((?:HTTP_)?X.\S*?)(?:: |=)(.*)$/gm;

    return join '', map { "$_ " . ($headers{$_} =~ /\A[\w-]+(\.[\w-]+){2}\z/
                                   ? 'ours' : $headers{$_}) . "\n" }
                    sort keys %headers;
}


# HTTP/2 has none

sub capitals {
    my $text = shift;

    $text =~ s/^(x\S+)(?=:)/join '-', map { ucfirst } split m{-}, $1/meg;

    return $text;
}


# claims that stand in a passport as the user said

sub extra {
    my ($token) = shift =~ /^X-Passport: \S+?\.(\S+)\.\S+$/m
        or return "no passport\n";
    my $c = JSON::PP::decode_json(MIME::Base64::decode_base64url($token));

    delete @$c{qw(iss aud sub iat nbf exp jti ver src lvl tier scope cli)};

    return json($c) . "\n";
}

run_tests();

__DATA__

=== TEST 1: ES256
--- http_config eval
$::provider . 'gw_passport_key es $TEST_NGINX_KEYS/passport.pem;'
--- config eval
$::location
--- request
GET /
--- more_headers eval
bearer(token())
--- response_body_filters eval
::signed('ES256')
--- response_body
passport+jwt ES256 es alice



=== TEST 2: EdDSA, Ed25519
--- http_config eval
$::provider . 'gw_passport_key ed $TEST_NGINX_ED25519;'
--- config eval
$::location
--- request
GET /
--- more_headers eval
bearer(token())
--- response_body_filters eval
::signed('EdDSA')
--- response_body
passport+jwt EdDSA ed alice



=== TEST 3: EdDSA, Ed448
--- http_config eval
$::provider . 'gw_passport_key ed $TEST_NGINX_ED448;'
--- config eval
$::location
--- request
GET /
--- more_headers eval
bearer(token())
--- response_body_filters eval
::signed('EdDSA')
--- response_body
passport+jwt EdDSA ed alice



=== TEST 4: HS256
--- http_config eval
$::provider . 'gw_passport_key hs $TEST_NGINX_HTML/secret alg=HS256;'
--- config eval
$::location
--- user_files eval
[["secret", "$::secret\r\n"]]
--- request eval
["GET /", "GET /"]
--- more_headers eval
[(bearer(token())) x 2]
--- response_body_filters eval
[[::signed('HS256', ::shared_key($::secret))],
 [::signed('HS256', ::shared_key("$::secret\r\n"))]]
--- response_body_like eval
['\Apassport\+jwt HS256 hs alice$', '\Arefused: InvalidSignatureError']



=== TEST 5: the first one signs, whatever it is; a secret is not published
--- http_config eval
$::provider . '
    gw_passport_key  hs $TEST_NGINX_HTML/secret alg=HS256;
    gw_passport_key  es $TEST_NGINX_KEYS/passport.pem;
    gw_passport_key  hs2 $TEST_NGINX_HTML/secret alg=HS256;
    gw_passport_key  ed25519 $TEST_NGINX_ED25519;
    gw_passport_key  ed448 $TEST_NGINX_ED448;
'
--- config eval
$::location
--- user_files eval
[["secret", $::secret]]
--- request eval
["GET /", "GET /jwks"]
--- more_headers eval
[bearer(token()), ""]
--- response_body_filters eval
[[::signed('HS256', ::shared_key($::secret))], [\&::members]]
--- response_body eval
["passport+jwt HS256 hs alice\n",
 "alg=ES256 crv=P-256 kid=es kty=EC use=sig x= y=
alg=EdDSA crv=Ed25519 kid=ed25519 kty=OKP use=sig x=
alg=EdDSA crv=Ed448 kid=ed448 kty=OKP use=sig x=\n"]



=== TEST 6: nothing but a secret
--- http_config eval
$::provider . 'gw_passport_key hs $TEST_NGINX_HTML/secret alg=HS256;'
--- config eval
$::location
--- user_files eval
[["secret", $::secret]]
--- request
GET /jwks
--- response_headers
Content-Type: application/jwk-set+json
--- response_body
{"keys":[]}



=== TEST 7: a key of another algorithm does not verify
--- http_config eval
$::provider . 'gw_passport_key ed $TEST_NGINX_ED25519;'
--- config eval
$::location
--- request
GET /
--- more_headers eval
bearer(token())
--- response_body_filters eval
::signed('ES256')
--- response_body_like: \Arefused: InvalidAlgorithmError



=== TEST 8: another header: it is sent, and no spelling of it is believed
--- config
    underscores_in_headers  on;
    ignore_invalid_headers  off;

    gw_passport         audience=orders;
    gw_passport_header  X-Caller;

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
    location /usual {
        gw_auth             accounts;
        gw_passport_header  X-Passport;
        proxy_pass          http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /variable {
        gw_auth            accounts;
        proxy_pass         http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        proxy_set_header   X-Copy $gw_passport;
        proxy_set_header   X-Http $http_x_caller;
        proxy_set_header   X-Old "<$http_x_passport>";
    }
--- request eval
["GET /on", "GET /optional", "GET /optional", "GET /off", "GET /off",
 "GET /usual", "GET /variable"]
--- more_headers eval
my $h = "X-Caller: a\nx-caller: b\nX_Caller: c\nX.CALLER: d\nX~caller: e
X-Passport: f\nX_Passport: g\nX-Other: h\n";
my $t = bearer(token());
["$h$t", "$h$t", $h, "$h$t", $h, "$t$h", $t]
--- error_code eval
[(200) x 7]
--- response_body_filters eval
\&::carried
--- response_body eval
my $other = "X-Other h\n";
["X-Caller ours\n$other", "X-Caller ours\n$other", $other, $other, $other,
 "${other}X-Passport ours\n",
 "X-Caller ours\nX-Copy ours\nX-Http ours\nX-Old <>\n"]



=== TEST 9: another header, without underscores
--- config
    gw_passport         audience=orders;
    gw_passport_header  X-Caller;

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
my $h = "X-Caller: a\nX_Caller: b\nx-CALLER: c\nX-Passport: d\n";
[$h . bearer(token()), $h]
--- error_code eval
[200, 200]
--- response_body_filters eval
\&::carried
--- response_body eval
["X-Caller ours\n", ""]



=== TEST 10: a name that is used in one location is believed nowhere
--- http_config eval
GWAuth::http_config() . '
    server {
        listen  127.0.0.1:$TEST_NGINX_RAND_PORT_1;

        location / {
            proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        }
    }
'
--- config
    location /somewhere {
        gw_auth             accounts;
        gw_passport         audience=orders;
        gw_passport_header  X-Who-Calls;
        proxy_pass          http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /elsewhere {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /server {
        proxy_pass        http://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        proxy_set_header  X-Who-Calls forged;
        proxy_set_header  X-Passport forged;
        proxy_set_header  X-Seen seen;
    }
--- request eval
["GET /somewhere", "GET /elsewhere", "GET /server"]
--- more_headers eval
[bearer(token()) . "X-Who-Calls: a\nx-who-calls: b\n",
 "X-Who-Calls: a\nx-who-calls: b\n", ""]
--- error_code eval
[200, 200, 200]
--- response_body_filters eval
\&::carried
--- response_body eval
["X-Who-Calls ours\n", "", "X-Seen seen\n"]



=== TEST 11: another header by FastCGI, uwsgi and SCGI
--- config eval
"underscores_in_headers on; ignore_invalid_headers off;
gw_passport_header X-Caller;
" . CORE::join '', map { my $a = $_; map { "
    location /$_/$a->[0] {
        gw_auth      $a->[1];
        gw_passport  audience=orders;
        ${_}_pass    127.0.0.1:\$TEST_NGINX_UPSTREAM;
        ${_}_param   REQUEST_METHOD \$request_method;
    }
" } qw(fastcgi uwsgi scgi) } ['on', 'accounts'],
    ['optional', 'accounts optional'], ['off', 'off']
--- request eval
[map { ("GET /$_/on", "GET /$_/optional", "GET /$_/optional", "GET /$_/off") }
     qw(fastcgi uwsgi scgi)]
--- more_headers eval
my $h = "X-Caller: a\nx_caller: b\nX_Caller: c\nX.Caller: d\nX-Passport: e
X_passport: f\nX-Other: g\n";
my $t = bearer(token());
[("$h$t", "$t$h", $h, $h) x 3]
--- error_code eval
[(200) x 12]
--- response_body_filters eval
\&::carried
--- response_body eval
[map { @$_ } ([("HTTP_X_CALLER ours\nHTTP_X_OTHER g\n") x 2,
               ("HTTP_X_OTHER g\n") x 2]) x 3]



=== TEST 12: another header by gRPC, and from a client of HTTP/2
--- http_config eval
GWAuth::http_config() . '
    server {
        listen  127.0.0.1:$TEST_NGINX_RAND_PORT_1 http2;

        underscores_in_headers  on;
        gw_passport             audience=orders;
        gw_passport_header      X-Caller;

        location / {
            gw_auth    accounts optional;
            grpc_pass  grpc://127.0.0.1:$TEST_NGINX_H2;
        }
        location /on {
            gw_auth    accounts;
            grpc_pass  grpc://127.0.0.1:$TEST_NGINX_H2;
        }
        location /off {
            grpc_pass  grpc://127.0.0.1:$TEST_NGINX_H2;
        }
    }
'
--- config
    location / {
        grpc_pass        grpc://127.0.0.1:$TEST_NGINX_RAND_PORT_1;
        grpc_set_header  X-Caller first;
        grpc_set_header  x_caller second;
        grpc_set_header  X-Passport third;
        grpc_set_header  x_passport fourth;
    }
--- request eval
["GET /", "GET /", "GET /on", "GET /off", "GET /off"]
--- more_headers eval
my $t = bearer(token());
["X-Other: d", "X-Other: d\n$t", "X-Other: d\n$t", "X-Other: d",
 "X-Other: d\n$t"]
--- error_code eval
[(200) x 5]
--- response_body_filters eval
sub { ::carried(::capitals(shift)) }
--- response_body eval
["X-Other d\n", ("X-Caller ours\nX-Other d\n") x 2, ("X-Other d\n") x 2]
--- error_log
client sent 4 headers that carry passports, removed



=== TEST 13: the header of the first location does not stay
--- config
    gw_auth             accounts;
    gw_passport         audience=first;
    gw_passport_header  X-First;

    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /second {
        gw_passport         audience=second;
        gw_passport_header  X-Second;
        proxy_pass          http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /third {
        gw_auth     off;
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /", "GET /accel=/second", "GET /accel=/third"]
--- more_headers eval
[(bearer(token()) . "X-Second: a\nX-First: b\nX-Other: c\n") x 3]
--- error_code eval
[200, 200, 200]
--- response_body_filters eval
\&::carried
--- response_body eval
["X-First ours\nX-Other c\n", "X-Other c\nX-Second ours\n", "X-Other c\n"]



=== TEST 14: claims of the user
--- config
    gw_auth      accounts;
    gw_passport  audience=orders;

    gw_passport_claim  tenant $gw_claim_tenant;
    gw_passport_claim  place  "a $arg_p";
    gw_passport_claim  empty  $arg_none;
    gw_passport_claim  é     "\"\\ü";

    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /own {
        gw_passport_claim  own "$gw_subject $gw_tier";
        proxy_pass         http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
    location /off {
        gw_passport_claim  off;
        proxy_pass         http://127.0.0.1:$TEST_NGINX_UPSTREAM;
    }
--- request eval
["GET /?p=1", "GET /?p=2", "GET /?p=1", "GET /", "GET /own", "GET /off"]
--- more_headers eval
my $t = bearer(token(claims => { tenant => 't1' }));
[$t, $t, bearer(token(claims => { tenant => "\"},{\"sub\":\"eve" })),
 bearer(token()), $t, $t]
--- error_code eval
[(200) x 6]
--- response_body_filters eval
\&::extra
--- response_body eval
my $u = "\x{e9}";
my %more = ($u => "\"\\\x{fc}");
[map { json($_) . "\n" } { tenant => 't1', place => 'a 1', %more },
 { tenant => 't1', place => 'a 2', %more },
 { tenant => '"},{"sub":"eve', place => 'a 1', %more },
 { place => 'a ', %more }, { own => 'alice gold' }, {}]



=== TEST 15: a claim that is no UTF-8, or too long, is the client's fault
--- config
    gw_auth            accounts;
    gw_passport        audience=orders;
    gw_passport_claim  place eu;
    gw_passport_claim  note $http_x_note;

    large_client_header_buffers  4 16k;

    location / {
        proxy_pass  http://127.0.0.1:$TEST_NGINX_UPSTREAM;
        add_header  X-Reason $gw_auth_status always;
    }
--- request eval
[("GET /") x 5]
--- more_headers eval
my $t = bearer(token());
["${t}X-Note: \xff\xfe\n", "${t}X-Note: a\tb\n", "${t}X-Note: \xed\xa0\x80\n",
 "${t}X-Note: " . 'x' x 3000 . "\n", "${t}X-Note: \xc3\xa9\n"]
--- error_code eval
[401, 200, 401, 401, 200]
--- response_headers eval
[map { "X-Reason: $_" } qw(bad_claim ok bad_claim bad_claim ok)]
--- response_body_filters eval
[[], [\&::extra], [], [], [\&::extra]]
--- response_body_like eval
['is not valid', '\A\{"note":"a\\\\tb","place":"eu"\}$', 'is not valid',
 'is not valid', '"note":"\xc3\xa9"']
--- no_error_log
[alert]
[crit]
[error]
--- seen eval
"/ orders -\n" x 2
