# Copyright (C) The nginx gateway modules authors

# The examples of docs/examples verify passports of a real gateway: which they
# accept, which not, how often they ask for keys, and that none is refused
# while the gateway's key changes as docs/passport.md says.

use strict;
use warnings;

use JSON::PP ();
use MIME::Base64 ();
use Test::More;

use GWE2E;
use GWPassport;
use GWTest;


my $ISSUER = 'gateway';
my $AUDIENCE = 'orders';

# no file of keys has these names

my %names = (passport => '2026-11', 'passport-old' => '2026-12',
             ed => 'ed25519');

my $upstream = GWTest::Server->new('upstream');
my $gw = GWTest::Gateway->new(
    upstream => $upstream, edit => with_keys('passport'), conf => <<'END');
load_module  modules/ngx_http_gw_auth_module.so;

user              www-data;
worker_processes  2;
pid               /run/nginx.pid;
error_log         /var/log/nginx/error.log notice;

events {
    worker_connections  256;
}

http {
    log_format  keys  '$arg_who';
    access_log  off;

    gw_auth_provider accounts {
        issuer    https://accounts.example.com;
        audience  gateway;
        jwks      file=accounts.jwks.json;
        claims    tier=plan scope=scp;
    }

    # keys

    upstream orders {
        server     127.0.0.1:8081;
        keepalive  16;
    }

    server {
        listen  8080;

        gw_auth  accounts;

        proxy_http_version  1.1;
        proxy_set_header    Connection "";

        location /orders/ {
            gw_passport  audience=orders;
            proxy_pass   http://orders;
        }

        location /several/ {
            gw_passport  audience=billing,orders,accounts;
            proxy_pass   http://orders;
        }

        location /billing/ {
            gw_passport  audience=billing;
            proxy_pass   http://orders;
        }

        location /elsewhere/ {
            gw_passport  audience=orders issuer=elsewhere;
            proxy_pass   http://orders;
        }

        location = /.well-known/jwks.json {
            gw_auth     off;
            access_log  logs/keys.log keys;
            gw_passport_jwks;
        }
    }
}
END

# reasons why a passport is refused, in the words of the libraries

my %reasons = (
    c => {
        audience => qr/audience/, issuer => qr/issuer/, typ => qr/passport/,
        expired => qr/expired/, early => qr/not yet/, version => qr/version/,
        signature => qr/signature/, alg => qr/algorithm|malformed/,
        key => qr/unknown key/, claim => qr/expired|not yet|subject/,
        malformed => qr/malformed/,
    },
    go => {
        audience => qr/invalid audience|aud claim/,
        issuer => qr/invalid issuer/,
        typ => qr/not a passport/, expired => qr/token is expired/,
        early => qr/not valid yet/, version => qr/version unknown/,
        signature => qr/signature is invalid/,
        alg => qr/signing method \w+ is invalid/, key => qr/unknown key/,
        claim => qr/missing/, malformed => qr/malformed/,
    },
    java => {
        audience => qr/audience/, issuer => qr/iss claim/,
        typ => qr/not a passport/, expired => qr/Expired JWT/,
        early => qr/before use time/, version => qr/ver claim|\[ver\]/,
        signature => qr/[Ss]ignature/,
        alg => qr/[Uu]nsecured|Another algorithm/,
        key => qr/no matching key|RateLimitReached/,
        claim => qr/missing required claims/,
        malformed => qr/Invalid|Missing|Unexpected|parts/,
    },
    node => {
        audience => qr/"aud"/, issuer => qr/"iss"/,
        typ => qr/not a passport/, expired => qr/"exp" claim timestamp/,
        early => qr/"nbf" claim timestamp/, version => qr/version unknown/,
        signature => qr/signature verification failed/,
        alg => qr/"alg" \(Algorithm\)/, key => qr/unknown key/,
        claim => qr/missing/, malformed => qr/Invalid|JWS/,
    },
    python => {
        audience => qr/audience|"aud"/i, issuer => qr/Invalid issuer/,
        typ => qr/not a passport/, expired => qr/expired/,
        early => qr/not yet valid/, version => qr/unknown version/,
        signature => qr/Signature verification failed/,
        alg => qr/alg value is not allowed/, key => qr/unknown key/,
        claim => qr/missing/,
        malformed => qr/segments|header|padding|decod/i,
    },
);


is_deeply([ snippet_problems() ], [],
          'docs/passport.md shows what is tested here');

my $token = token(sub => 'alice', plan => 'gold');
my %commands;

for my $language (languages()) {
    subtest("$language verifies" => sub {
        my ($command, $reason) = build($language);

        plan(skip_all => "$language: $reason") if !$command;

        $commands{$language} = $command;
        decisions($language);
    });
}

SKIP: {
    skip('no example runs here', 1) if !%commands;

    subtest('keys' => sub { fetches($_) for sort keys %commands });
    subtest("the keys: $_" => \&outage, $_)
        for 'return 503', 'return 200 "<html>"', 'return 200 "{}"';
    subtest('rotation' => \&rotation);
    subtest('a stolen key' => \&stolen);
}

$gw->stop;

is_deeply([ trouble_in($gw) ], [], 'no alert in the error log');

done_testing();


# a change of the configuration: the gateway's keys, the first one signs

sub with_keys {
    my $keys = join '', map { "gw_passport_key $names{$_} ../keys/$_.pem;\n" }
                            @_;

    return sub { s/# keys\n/$keys/ };
}


sub verifier {
    my ($language, $who, @seconds) = @_;

    my $url = 'http://127.0.0.1:' . $gw->port . '/.well-known/jwks.json?who=';

    return GWPassport->new($language, $commands{$language},
                           "$url$who-$language", $ISSUER, $AUDIENCE, @seconds);
}


# how often a verifier has asked for keys

sub fetched {
    my ($who) = @_;

    return scalar grep { $_ eq $who }
                  split /\n/, GWTest::slurp($gw->dir . '/logs/keys.log');
}


# what the upstream got

sub passport {
    my ($path) = @_;

    my $r = $gw->get($path, token => $token);

    $r->{status} == 200 or die "$path: $r->{status}\n";

    return $r->{json}{headers}{'x-passport'};
}


# one that we sign with a key of the gateway; undef removes a claim

sub forged {
    my (%arg) = @_;

    my %header = (typ => 'passport+jwt', kid => $names{passport},
                  %{delete $arg{-header} || {}});
    my $alg = delete $arg{-alg} // 'ES256';
    my $key = delete $arg{-key} // key_file('passport.pem');

    my %claims = (iss => $ISSUER, aud => $AUDIENCE, sub => 'mallory',
                  iat => time, nbf => time, exp => time + 600, jti => 'x',
                  ver => 1, %arg);

    delete @header{grep { !defined $header{$_} } keys %header};
    delete @claims{grep { !defined $claims{$_} } keys %claims};

    return sign($alg, $key, \%header, \%claims);
}


sub decisions {
    my ($language) = @_;

    my $v = verifier($language, 'decisions', 600, 500);
    my $good = passport('/orders/');

    for ([ 'a passport', $good, 'alice' ],
         [ 'one for several', passport('/several/'), 'alice' ],
         [ 'what we can sign', forged() , 'mallory' ],
         [ 'that a bit too early', forged(nbf => time + 3), 'mallory' ])
    {
        my ($name, $passport, $subject) = @$_;

        is($v->ask($passport), "ok $subject", $name);
    }

    my %refused = refused($good);

    for my $name (sort keys %refused) {
        my ($why, $passport) = @{$refused{$name}};

        like($v->ask($passport), qr/\Arefused .*$reasons{$language}{$why}/,
             "refused: $name");
        is($v->ask($good), 'ok alice', 'and then a good one is accepted');
    }

    is($v->stop, 0, 'the end');

    eddsa($language);
}


sub refused {
    my ($good) = @_;

    my ($head, $body, $sig) = split /\./, $good;
    my $other = (split /\./, forged(sub => 'eve'))[1];
    my $flipped = ($sig =~ /\AA/ ? 'B' : 'A') . substr $sig, 1;
    my $public = GWTest::slurp(key_file('passport.pub.pem'));

    my %kid = (kid => $names{passport});
    my %claims = (iss => $ISSUER, aud => $AUDIENCE, sub => 'eve', ver => 1,
                  nbf => time - 10, iat => time - 10, exp => time + 600);

    return (
        'for another upstream' => [ audience => passport('/billing/') ],
        'of another gateway' => [ issuer => passport('/elsewhere/') ],

        'expired' => [ expired => forged(exp => time - 60) ],
        'not yet valid' => [ early => forged(nbf => time + 600) ],
        'for others' => [ audience => forged(aud => [ 'order', 'orders2' ]) ],
        'for nobody' => [ audience => forged(aud => []) ],
        'another version' => [ version => forged(ver => 2) ],
        'no version' => [ version => forged(ver => undef) ],
        'no expiry' => [ claim => forged(exp => undef) ],
        'no nbf' => [ claim => forged(nbf => undef) ],
        'no subject' => [ claim => forged(sub => undef) ],

        'a JWT' => [ typ => forged(-header => { typ => 'JWT' }) ],
        'an access token' => [ typ => forged(-header => { typ => 'at+jwt' }) ],
        'no typ' => [ typ => forged(-header => { typ => undef }) ],
        'capitals' => [ typ => forged(-header => { typ => 'Passport+JWT' }) ],

        'another signature' => [ signature => "$head.$body.$flipped" ],
        'other claims' => [ signature => "$head.$other.$sig" ],
        'another key' => [ signature => forged(-key => key_file('ec.pem')) ],
        'no signature' => [ signature => "$head.$body." ],

        'alg none' => [ alg => unsigned_token(
            { alg => 'none', typ => 'passport+jwt', %kid }, \%claims) ],
        'alg none, signature kept' => [ alg => unsigned_token(
            { alg => 'none', typ => 'passport+jwt', %kid }, \%claims, $sig) ],
        'HS256 by the public key' =>
            [ alg => forged(-alg => 'HS256', -key => $public) ],

        'unknown kid' => [ key => forged(-header => { kid => 'ec' },
                                         -key => key_file('ec.pem')) ],

        'empty' => [ malformed => '' ],
        'garbage' => [ malformed => 'garbage' ],
        'no JSON' => [ malformed => 'e30x.e30x.e30x' ],
    );
}


# where the library knows it; an algorithm is good for its own keys only

sub eddsa {
    my ($language) = @_;

    $gw->edit(with_keys('ed', 'passport'));
    $gw->reload(old => 1);

    my $v = verifier($language, 'eddsa');
    my $passport = passport('/orders/');
    my @ed = (-alg => 'EdDSA', -key => key_file('ed.pem'));

    is($v->ask(forged()), 'ok mallory', 'a key of another kind is no trouble');

    if ($language =~ /\A(?:c|java)\z/) {
        like($v->ask($passport), qr/\Arefused .*$reasons{$language}{alg}/,
             'EdDSA is not known');

    } else {
        is($v->ask($passport), 'ok alice', 'EdDSA');
    }

    like($v->ask(forged(@ed)), qr/\Arefused /, 'EdDSA with a key for ES256');
    like($v->ask(forged(-header => { kid => $names{ed} })), qr/\Arefused /,
         'ES256 with a key for EdDSA');
    is($v->ask(forged()), 'ok mallory', 'still at work');
    is($v->stop, 0, 'the end');

    $gw->edit(with_keys('passport'));
    $gw->reload(old => 1);
}


# a verifier does not ask for keys with each passport, nor may a flood of
# unknown names make it

sub fetches {
    my ($language) = @_;

    my $v = verifier($language, 'fetches', 1000, 900);
    my $good = passport('/orders/');

    is($v->ask($good), 'ok alice', "$language: a passport") for 1 .. 5;

    wait_for(sub { fetched("fetches-$language") }, 'a line in the log');
    is(fetched("fetches-$language"), 1, "$language: one request for keys");

    like($v->ask(forged(-header => { kid => "x$_" })), qr/\Arefused /,
         "$language: unknown kid") for 1 .. 20;
    cmp_ok(fetched("fetches-$language"), '<=', 2,
           "$language: a flood of unknown names is damped");
    is($v->ask($good), 'ok alice', "$language: others do not suffer");
    is($v->stop, 0, 'the end');
}


# what is no key set does not replace the keys

sub outage {
    my ($answer) = @_;

    my @verifiers = map { verifier($_, 'outage', 2, 1) } sort keys %commands;

    is($_->ask(passport('/orders/')), 'ok alice', $_->language)
        for @verifiers;

    $gw->edit(sub {
        with_keys('passport')->();
        s/ gw_passport_jwks;/ $answer;/;
    });
    $gw->reload(old => 1);

    learn('outage', \@verifiers) for 1, 2;

    is($_->stop, 0, 'the end') for @verifiers;

    $gw->edit(with_keys('passport'));
    $gw->reload(old => 1);
}


# A new key is published, signs, and the old one is removed, under load, with
# verifiers that keep keys for some seconds.  Those that never ask again show
# that it is because of the first step that all is well.

sub rotation {
    my @all = sort keys %commands;
    my @verifiers = map { verifier($_, 'rotation', 2, 1) } @all;
    my @deaf = map { verifier($_, 'deaf', 10000, 9999) } @all;

    for my $v (@deaf) {
        is($v->ask(passport('/orders/')), 'ok alice', $v->language);
        like($v->ask(forged(-header => { kid => 'x' })), qr/\Arefused /,
             $v->language . ': nothing new for a long time') for 1, 2;
    }

    is_deeply(step(\@verifiers), { $names{passport} => 1 }, 'the old key');

    $gw->edit(with_keys('passport', 'passport-old'));
    is_deeply(step(\@verifiers, reload => 1), { $names{passport} => 1 },
              'a new key is published');

    learn('rotation', \@verifiers);

    $gw->edit(with_keys('passport-old', 'passport'));
    is_deeply(step(\@verifiers, reload => 1),
              { $names{passport} => 1, $names{'passport-old'} => 1 },
              'it signs');
    is_deeply(step(\@verifiers), { $names{'passport-old'} => 1 }, 'alone');

    like($_->ask(passport('/orders/')),
         qr/\Arefused .*$reasons{$_->language}{key}/,
         $_->language . ': who does not ask for keys refuses it') for @deaf;

    is($_->ask(forged()), 'ok mallory',
       $_->language . ': the old one is good yet') for @verifiers;

    $gw->edit(with_keys('passport-old'));
    is_deeply(step(\@verifiers, reload => 1),
              { $names{'passport-old'} => 1 }, 'the old one is removed');

    learn('rotation', \@verifiers);

    like($_->ask(forged()), qr/\Arefused .*$reasons{$_->language}{key}/,
         $_->language . ': and is good no more') for @verifiers;
    is($_->ask(passport('/orders/')), 'ok alice', $_->language)
        for @verifiers;
    is($_->stop, 0, 'the end') for @verifiers, @deaf;
}


# A key that is replaced without notice: verifiers find the new one by its
# unknown name, long before their keys are old, and forget the stolen one.

sub stolen {
    $gw->edit(with_keys('passport'));
    $gw->reload(old => 1);

    my @verifiers = map { verifier($_, 'stolen', 10000, 1) }
                    sort keys %commands;

    is($_->ask(passport('/orders/')), 'ok alice', $_->language)
        for @verifiers;

    $gw->edit(with_keys('passport-old'));
    $gw->reload(old => 1);

    my $passport = passport('/orders/');

    for my $v (@verifiers) {
        my $answer = '';

        eval {
            wait_for(sub { ($answer = $v->ask($passport)) eq 'ok alice' },
                     'the new key');
        };

        is($answer, 'ok alice', $v->language . ': the new key is found');
        like($v->ask(forged()), qr/\Arefused .*$reasons{$v->language}{key}/,
             $v->language . ': the stolen one is good no more');
        is($v->stop, 0, 'the end');
    }
}


# requests before, while and after the gateway is reloaded, each passport
# shown to all verifiers; the names of the keys that signed

sub step {
    my ($verifiers, %arg) = @_;

    my %old = map { $_ => 1 } workers_of($gw, 2);
    my (%kids, @problems);
    my ($seen, $after) = (0, $arg{reload} ? undef : 0);

    my @r = load($gw, 4, sub {
        return (!defined $after || @_ < $after + 40)
               && [ '/orders/', token => $token ];

    }, sub {
        my @workers = $gw->workers;

        kill('HUP', $gw->master)
            if $arg{reload} && $seen < 10 && @_ >= 10;

        # new workers only

        $after //= @_ if @workers == 2 && !grep { $old{$_} } @workers;

        push @problems, show($verifiers, $_[$seen++], \%kids)
            while $seen < @_;
    });

    is_deeply(\@problems, [], @r . ' requests, no passport refused');

    return \%kids;
}


sub show {
    my ($verifiers, $r, $kids) = @_;

    my $passport = $r->{json}{headers}{'x-passport'}
        or return "no passport: $r->{status} " . ($r->{error} // '');
    my ($head) = split /\./, $passport;

    $kids->{JSON::PP::decode_json(
        MIME::Base64::decode_base64url($head))->{kid}} = 1;

    return map { $_->[1] eq 'ok alice' ? () : "$_->[0]: $_->[1]" }
           map { [ $_->language, $_->ask($passport) ] } @$verifiers;
}


# until each has asked for keys since now; passports make it ask

sub learn {
    my ($who, $verifiers) = @_;

    my %n = map { $_ => fetched($_) }
            map { "$who-" . $_->language } @$verifiers;
    my @problems;

    wait_for(sub {
        my $passport = passport('/orders/');

        push @problems, grep { $_ ne 'ok alice' }
                        map { $_->ask($passport) } @$verifiers;

        return !grep { fetched($_) == $n{$_} } keys %n;
    }, 'the keys to be fetched again');

    is_deeply(\@problems, [], 'no passport is refused meanwhile');
}
