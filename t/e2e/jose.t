# Copyright (C) The nginx gateway modules authors

# Other implementations of JOSE and ours understand each other: keys and
# tokens by libjwt, PyJWT and jose are taken by a gateway, and the latter two
# verify its passports with the keys it publishes.  (libjwt 1 takes no token
# with a "typ" but "JWT".)

use strict;
use warnings;

use JSON::PP;
use MIME::Base64 qw(encode_base64url);
use Test::More;

use GWE2E;
use GWTest;


my $ISSUER = 'https://jose.example.com';

my $CONF = <<'END';
load_module  modules/ngx_http_gw_auth_module.so;

user              www-data;
worker_processes  1;
pid               /run/nginx.pid;
error_log         /var/log/nginx/error.log info;

events {
}

http {
    log_format  status  '$uri $status $gw_auth_status $gw_subject';
    access_log  /var/log/nginx/access.log status;

    gw_auth_provider jose {
        issuer      https://jose.example.com;
        audience    gateway;
        algorithms  HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512
                    ES256 ES384 ES512 EdDSA;
        jwks        file=jose.jwks.json;
    }

    gw_passport_key  KEY;
    gw_passport_key  spare spare.pem;

    server {
        listen  8080;

        location / {
            gw_auth      jose;
            gw_passport  audience=orders ttl=60s;
            proxy_pass   http://127.0.0.1:8081;
        }

        location = /jwks {
            gw_passport_jwks;
        }
    }
}
END

# one of ours signs, one of the other two verifies: what all of them know

my %SIGNERS = (
    'es256'   => [ 'ES256', qw(PyJWT jose) ],
    'ed25519' => [ 'EdDSA', qw(PyJWT) ],
    'ed448'   => [ 'EdDSA', qw(PyJWT) ],
    'hs256'   => [ 'HS256', qw(PyJWT jose) ],
);

my $json = JSON::PP->new->canonical->utf8;
my $secret = 'a secret of more than 32 characters';
my $claims = $json->encode({ iss => $ISSUER, aud => [ 'gateway', 'x' ],
                             sub => 'alice', exp => time + 3600,
                             iat => time });

my (@keys, %tokens);


sub file {
    return GWTest::write_file(@_);
}


# the output of a command, undef if it fails

sub output {
    my (@cmd) = @_;

    open(my $fh, '-|', @cmd) or die "$cmd[0]: $!\n";
    my $text = do { local $/; <$fh> };

    return close($fh) ? $text // '' : undef;
}


sub must {
    my $text = output(@_);

    return $text // die "@_ failed\n";
}


# keys by openssl, in PEM, for libjwt

sub libjwt {
    my @rsa = qw(-algorithm RSA -pkeyopt rsa_keygen_bits:2048);
    my @ec = qw(-algorithm EC -pkeyopt);

    my %options = (
        (map { ("RS$_" => \@rsa) } 256, 384, 512),
        ES256 => [ @ec, 'ec_paramgen_curve:P-256' ],
        ES384 => [ @ec, 'ec_paramgen_curve:P-384' ],
        ES512 => [ @ec, 'ec_paramgen_curve:P-521' ],
    );

    my %arg = (iss => $ISSUER, sub => 'alice');

    for my $alg (sort keys %options) {
        my $kid = "libjwt-$alg";
        my $pem = run_dir() . "/$kid.pem";

        must('openssl', 'genpkey', '-quiet', '-out', $pem,
             @{$options{$alg}});
        push @keys, @{$json->decode(must("$GWTest::ROOT/tools/pem2jwk",
                                         '-a', $alg, '-k', $kid, $pem))
                      ->{keys}};
        $tokens{$kid} = token(%arg, -alg => $alg, -key => $pem, -kid => $kid);
    }

    for my $alg (qw(HS256 HS384 HS512)) {
        my $kid = "libjwt-$alg";
        my $bytes = join '', map { chr(1 + int rand 255) } 1 .. 64;

        push @keys, { kty => 'oct', kid => $kid, alg => $alg,
                      k => encode_base64url($bytes) };
        $tokens{$kid} = token(%arg, -alg => $alg, -kid => $kid,
                              -key => file("$kid.key", $bytes));
    }
}


sub pyjwt {
    my $file = file('claims.json', $claims);

    my $made = $json->decode(must('sh', '-c',
        "exec /usr/bin/python3 '$GWTest::ROOT/t/lib/mint_jwt.py' < '$file'"));

    push @keys, @{$made->{keys}};
    %tokens = (%tokens, %{$made->{tokens}});
}


sub jose {
    my $payload = file('claims.json', $claims);

    for my $alg (map { my $family = $_; map { "$family$_" } 256, 384, 512 }
                 qw(HS RS PS ES))
    {
        my $kid = "jose-$alg";
        my $key = must('jose', 'jwk', 'gen', '-i',
                       $json->encode({ alg => $alg, kid => $kid }), '-o-');
        my $file = file("$kid.jwk", $key);

        push @keys, $json->decode($alg =~ /^HS/ ? $key
            : must('jose', 'jwk', 'pub', '-i', $file, '-o-'));

        my $header = { alg => $alg, kid => $kid, typ => 'at+jwt' };

        $tokens{$kid} = must('jose', 'jws', 'sig', '-I', $payload, '-k',
                             $file, '-c', '-o-', '-s',
                             $json->encode({ protected => $header }));
        $tokens{$kid} =~ s/\s+\z//;
    }
}


# the claims of a passport, undef if it is refused

sub verified {
    my ($who, $passport, $jwks, $alg) = @_;

    my $token = file('passport', $passport);
    my $keys = file('passport.jwks', $jwks);

    my $cmd = ($who eq 'PyJWT')
        ? "/usr/bin/python3 '$GWTest::ROOT/t/lib/verify_jwt.py' '$keys' "
          . "orders $alg < '$token'"
        : "jose jws ver -i '$token' -k '$keys' -O-";

    my $text = output('sh', '-c', "exec 2> '$token.log'; $cmd") // return;
    my $r = $json->decode($text);

    return $who eq 'PyJWT' ? $r->{claims} : $r;
}


# a file beside the configuration

sub into_conf {
    my ($gw, $name, $text) = @_;

    my $path = $gw->dir . "/conf/$name";

    open(my $fh, '>:raw', $path) or die "$path: $!\n";
    print $fh $text;
    close $fh or die "$path: $!\n";
}


# with another signature

sub altered {
    my ($token) = @_;

    $token =~ s/\.(.)([^.]*)\z/'.' . ($1 eq 'A' ? 'B' : 'A') . $2/e;

    return $token;
}


libjwt();
pyjwt();
jose();

my $upstream = GWTest::Server->new('upstream');
my $gw = GWTest::Gateway->new(
    upstream => $upstream, conf => $CONF, start => 0,
    edit => sub { s/KEY/es256 es256.pem/ });

into_conf($gw, 'jose.jwks.json', $json->encode({ keys => \@keys }));
into_conf($gw, 'es256.pem', GWTest::slurp(key_file('passport.pem')));
into_conf($gw, 'ed25519.pem', GWTest::slurp(key_file('ed.pem')));
into_conf($gw, 'ed448.pem', must(qw(openssl genpkey -algorithm ED448)));
into_conf($gw, 'spare.pem', GWTest::slurp(key_file('passport-old.pem')));
into_conf($gw, 'hs256.pem', "$secret\n");

$gw->start;


# their tokens

is(keys %tokens, 9 + 14 + 12, 'algorithms of three implementations');

for my $kid (sort keys %tokens) {
    my $r = $gw->get("/$kid", token => $tokens{$kid});

    is($r->{status}, 200, "$kid: a token gets in")
        or diag(explain($r->{json}));
    ok($r->{json}{headers}{'x-passport'}, "$kid: with a passport");

    $r = $gw->get("/$kid/altered", token => altered($tokens{$kid}));
    is($r->{status}, 401, "$kid: with another signature it does not");
}


# our passports

for my $name (sort keys %SIGNERS) {
    my ($alg, @verifiers) = @{$SIGNERS{$name}};

    my $option = ($alg eq 'HS256') ? ' alg=HS256' : '';

    $gw->edit(sub { s/KEY/$name $name.pem$option/ });
    $gw->reload(old => 1);

    my $jwks = $gw->get('/jwks')->{body};

    my %published = map { $_->{kid} => 1 } @{$json->decode($jwks)->{keys}};

    is_deeply([ sort keys %published ],
              [ sort 'spare', $name eq 'hs256' ? () : $name ],
              "$name: the keys that are published");

    $jwks = $json->encode({ keys => [ {
        kty => 'oct', kid => $name, alg => 'HS256',
        k => encode_base64url($secret) } ] }) if $name eq 'hs256';

    my $passport = $gw->get('/', token => $tokens{ES256})
                      ->{json}{headers}{'x-passport'};

    for my $who (@verifiers) {
        my $claims = verified($who, $passport, $jwks, $alg);

        is_deeply([ @{$claims || {}}{qw(iss aud sub)} ],
                  [ 'gateway', 'orders', 'alice' ],
                  "$name: $who verifies a passport");
        is(verified($who, altered($passport), $jwks, $alg), undef,
           "$name: $who refuses it with another signature");
    }
}

$gw->stop;

is_deeply([ trouble_in($gw) ], [], 'no alert in the error log');

done_testing();
