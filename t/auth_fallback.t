# Copyright (C) The nginx gateway modules authors

# The auth service is down: who is let in all the same, who is not, and who
# is told to come again.

use strict;
use warnings;

use MIME::Base64 qw(decode_base64url encode_base64url);
use JSON::PP;
use List::Util qw(uniq);
use Math::BigInt;
use Test::More;

use GWAuthService;
use GWTest;


my $service = GWAuthService->new;
my $redis = GWTest::Server->new('redis');
my $upstream = GWTest::Server->new('upstream');

my ($keys, $n) = (key_file('jwks.json'), 0);

# each has a breaker of its own

my %names = (
    (map { ("down$_" => 'timeout=100ms') } 0 .. 8),
    (map { ("plain$_" => '') } 0 .. 9),
    (map { ("fresh$_" => 'cache=0') } 0 .. 9),
    brief => 'cache=1s',
    shut => '',
    single => 'max=1 timeout=20s',
    prefixed => '',
    young => '',
    aged => 'cache=0',
    (map { ("noisy$_" => '', "denied$_" => 'cache=0') } qw(401 403)),
    breaks => '',
    probed => 'timeout=20s',
    open => '',
);

my $http = <<"END" . join '', map { <<"END" } sort keys %names;
    gw_auth_zone         identities:4m;
    gw_auth_redis        redis://127.0.0.1:6379 timeout=10s;
    gw_auth_revocations  key=gw:revoked;
    gw_passport_key      now @{[ key_file('passport.pem') ]};
    gw_passport          audience=orders;

    gw_auth_provider accounts {
        issuer    https://accounts.example.com;
        audience  gateway;
        jwks      file=$keys;
        claims    tier=plan scope=scp;
        subject   shared;
    }

    gw_auth_provider foreign {
        issuer    https://foreign.example.com;
        audience  gateway;
        jwks      file=$keys;
        subject   prefix=foreign:;
    }
END
    gw_auth_provider $_ {
        introspect  uri=@{[ /shut/ ? '/_shut' : '/_introspect' ]} $names{$_};
        fallback    accounts max_age=@{[ /young|aged/ ? '5s' : '15m' ]};
        claims      tier=plan scope=scp;
        subject     @{[ /prefixed/ ? 'prefix=s:' : 'shared' ]};
    }
END

my $server = $service->location('/_introspect', '/introspect')
    . $service->location('/_shut', '/introspect') =~ s/:\d+/:1/r
    . join '', map { <<"END" } sort keys %names;
    location /$_/ {
        gw_auth     $_;
        proxy_pass  http://127.0.0.1:8081;
    }

    location /$_/strict/ {
        gw_auth           $_;
        gw_auth_fallback  off;
        proxy_pass        http://127.0.0.1:8081;
    }

    location /$_/scope/ {
        gw_auth          $_;
        gw_auth_require  scope=admin;
        proxy_pass       http://127.0.0.1:8081;
    }
END

my $gw = auth_gateway(upstream => $upstream, redis => $redis, http => $http,
                      server => $server, workers => 2);


sub get {
    my ($path, $token, %arg) = @_;

    return $gw->get($path, token => $token, %arg);
}


# a token that the auth service knows, unless it is told otherwise

sub jwt {
    my %claims = (sub => 'user-' . ++$n, jti => "no-$n", plan => 'gold',
                  scp => 'a b', @_);

    my $token = token(%claims);

    return $service->knows($token, map({ $_ => $claims{$_} }
                                       qw(sub plan scp)));
}


sub opaque {
    return $service->knows('opaque-' . ++$n . '-0123456789',
                           sub => "user-$n");
}


# the same token with the other signature by ECDSA, (r, n - s) for (r, s)

sub respelled {
    my ($token) = @_;

    my ($text, $signature) = $token =~ /\A(.*\.)([\w-]+)\z/
        or die "no token: $token\n";
    my ($r, $s) = unpack 'a32 H64', decode_base64url($signature);
    my $order = Math::BigInt->from_hex('ffffffff00000000ffffffffffffffff'
                                       . 'bce6faada7179e84f3b9cac2fc632551');
    my $hex = ($order - Math::BigInt->from_hex($s))->as_hex =~ s/\A0x//r;

    return $text . encode_base64url($r . pack 'H64',
                                         '0' x (64 - length $hex) . $hex);
}


sub degraded { return $_[0]->{headers}{'x-degraded'} // '-' }


# the claims of the passport that the upstream got

sub passport {
    my $jwt = ($upstream->requests)[-1]{headers}{'x-passport'} // '';

    return JSON::PP->new->utf8->decode(decode_base64url((split /\./,
                                                         $jwt)[1] // ''));
}


sub test {
    my ($title, $code) = @_;

    $service->does(introspect => 'ok');
    $service->forget;

    subtest($title => sub {
        eval { $code->(); 1 } or fail("died: $@");
    });

    $service->does(introspect => 'ok');
}


# both workers, each as often as it takes

sub everywhere {
    my ($code) = @_;

    my %seen;

    wait_for(sub {
        my $r = $code->();
        $seen{$r->{headers}{'x-pid'}}{who($r)}++;
        keys %seen == 2;
    }, 'both workers');

    return join ', ', uniq(sort map { keys %$_ } values %seen);
}


my @downs = qw(500 503 hang stall garbage close truncated empty html);

for my $i (0 .. $#downs) {
    test("down: $downs[$i]", sub {
        my ($jwt, $opaque) = (jwt(), opaque());

        $service->does(introspect => $downs[$i]);

        my $r = get("/down$i/", $jwt);

        is(who($r), '200 user-' . ($n - 1) . ' ok', 'a JWT');
        is(degraded($r), 1, 'is marked');
        is(join(' ', @{$r->{headers}}{qw(x-provider x-tier x-scope)}),
           "down$i gold a b", 'is complete');

        my $passport = passport();

        ok($passport->{deg}, 'its passport is marked');
        is($passport->{sub}, 'user-' . ($n - 1), 'and complete');
        is_down(get("/down$i/", $opaque), 'an opaque token');
        is_down(get("/down$i/strict/", $jwt), 'where there is no fallback');
        is($service->asked, 3, 'asked each time');
    });
}


test('nothing listens', sub {
    my $r = get('/shut/', jwt());

    is(who($r), "200 user-$n ok", 'a JWT');
    is(degraded($r), 1, 'is marked');
    is_down(get('/shut/', opaque()), 'an opaque token');
});

test('up, down, and up: the same subject', sub {
    for my $name ('fresh0', 'prefixed') {
        my $jwt = jwt(sub => 'alice');
        my $alice = $name eq 'prefixed' ? 's:alice' : 'alice';
        my @r;

        for my $mode ('500', 'ok', '500') {
            $service->does(introspect => $mode);

            # the first token is known by the second time

            push @r, get("/$name/", $mode eq 'ok' ? $jwt
                                                  : jwt(sub => 'alice'));
            is(passport()->{sub}, $alice, "$name, $mode: the passport");
        }

        is(join(', ', map { who($_) . ' ' . degraded($_) } @r),
           "200 $alice ok 1, 200 $alice ok 0, 200 $alice ok 1", $name);
    }
});

test('what was known before, stays', sub {
    my ($jwt, $opaque) = (jwt(), opaque());

    is(get('/plain0/', $_)->{status}, 200, 'up') for $jwt, $opaque;
    $service->does(introspect => '500');
    is(degraded(get('/plain0/', $_)), 0, 'down') for $jwt, $opaque;
    is(get('/plain0/strict/', $_)->{status}, 200, 'anywhere')
        for $jwt, $opaque;
    is($service->asked, 2, 'not asked again');
});

test('what was let in meanwhile, does not stay', sub {
    my $jwt = jwt();

    $service->does(introspect => '500');
    is(degraded(get('/plain1/', $jwt)), 1, 'down') for 1 .. 2;
    is_down(get('/plain1/strict/', $jwt), 'not where there is no fallback');

    $service->does(introspect => 'inactive');
    is(who(get('/plain1/', $jwt)), '401 - inactive', 'inactive');
});

test('and becomes whole', sub {
    my $jwt = jwt();

    $service->does(introspect => '500');
    is(degraded(get('/plain2/', $jwt)), 1, 'down');
    ok(passport()->{deg}, 'passport');

    $service->does(introspect => 'ok');
    is(degraded(get('/plain2/', $jwt)), 0, 'up');
    ok(!passport()->{deg}, 'passport');
});

test('the policy applies', sub {
    my ($jwt, $admin) = (jwt(), jwt(scp => 'admin'));

    $service->does(introspect => '500');
    is(who(get('/plain3/', $jwt)) =~ s/user-\d+/U/r, '200 U ok', 'without');
    is(get('/plain3/scope/', $jwt)->{status}, 403, 'not enough');
    is(get('/plain3/scope/', $admin)->{status}, 200, 'enough');
});


# never, whatever the service said before or says later

for my $case (
    ['of another issuer', { iss => 'https://foreign.example.com' },
     '503 - introspection_unavailable'],
    ['without an issuer', { iss => undef },
     '503 - introspection_unavailable'],
    ['forged', { -key => 'forged', -kid => 'rsa' }, '401 - bad_signature'],
    ['expired', { -exp => '-3600' }, '401 - expired'],
    ['for another audience', { aud => 'billing' }, '401 - wrong_audience'],
    ['of another algorithm', { -alg => 'HS256', -key => key_file('hs.key'),
                               -kid => 'rsa' },
     '401 - bad_algorithm'],
    ['of an unknown key', { -kid => 'lately' }, '503 - keys_unavailable'],
    ['not yet valid', { nbf => time + 3600 }, '401 - not_yet_valid'],
    ['without a subject', { sub => undef }, '401 - bad_claim'],
    ['issued long ago', { iat => time - 1800 }, '503 - too_old'],
    ['issued at no time', { iat => undef, -exp => undef,
                            exp => time + 60 }, '503 - too_old'],
) {
    my ($title, $claims, $want) = @$case;

    test("a token $title", sub {
        my $token = token(sub => 'mallory', %$claims);

        $service->does(introspect => '500');

        for my $i (1 .. 3) {
            my $r = get('/fresh1/', $token);

            like(who($r), qr/\A$want\z/, "no. $i");
            is_down($r, "no. $i") if $want =~ /503/;
        }

        # once in a while, or the breaker opens

        $service->does(introspect => 'ok');
        is(who(get('/fresh1/', $token)), '401 - inactive', 'and later');
    });
}

test('a passport', sub {
    is(get('/fresh2/', jwt())->{status}, 200, 'for a JWT');

    my $passport = ($upstream->requests)[-1]{headers}{'x-passport'};

    $service->does(introspect => '500');
    like(who(get('/fresh2/', $passport)), qr/\A(?:401|503) - /,
         'is no token');
});

test('max_age counts from the time of issue', sub {
    my ($jwt, $status);

    $service->does(introspect => '500');

    # on a machine that is so slow that it is old there is another try

    for (1 .. 10) {
        my $iat = time - 2;

        $jwt = jwt(iat => $iat);
        $status = get('/young/', $jwt)->{status};
        last if time < $iat + 5;
    }

    is($status, 200, 'young');
    wait_for(sub { get('/young/', $jwt)->{status} != 200 }, 'it to be old');
    is_down(get('/young/', $jwt), 'old');
});


for my $mode (qw(401 403 inactive)) {
    test("$mode is an answer", sub {
        my $jwt = jwt();

        $service->does(introspect => $mode);
        is(who(get('/fresh3/', $jwt)), '401 - inactive') for 1 .. 7;
        is(who(get('/plain4/', $jwt)), '401 - inactive') for 1 .. 3;
        is($service->asked, 8, 'and no failure');
    });
}

# the gateway is refused, rather than the token

for my $mode (qw(401 403)) {
    test("$mode says nothing about the token", sub {
        my $jwt = jwt();

        # the log has one line in a while per worker, not per provider

        $gw->reload(old => 1);

        my $before = length $gw->error_log;

        $service->does(introspect => '500');
        is(everywhere(sub { get("/noisy$mode/", $jwt) }), "200 user-$n ok",
           'another message');

        $service->does(introspect => $mode);
        is(everywhere(sub { get("/denied$mode/", $jwt) }), '401 - inactive',
           'refused for now');
        get("/denied$mode/", $jwt) for 1 .. 20;

        my $log = substr $gw->error_log, $before;
        my $says = qq(for "denied$mode" was refused with status $mode, )
                   . 'which counts as inactive';
        my $lines = () = $log =~ /\[error\] .*\Q$says\E/g;

        cmp_ok($lines, '>=', 1, 'the log tells');
        cmp_ok($lines, '<', 20, 'not each time');

        $service->does(introspect => '500');
        is(everywhere(sub { get("/denied$mode/", $jwt) }), "200 user-$n ok",
           'down');
        is(degraded(get("/denied$mode/", $jwt)), 1, 'is marked');
    });
}

test('who has logged out, stays out: there is no cache', sub {
    my ($jwt, $other) = (jwt(), jwt());

    is(get('/fresh4/', $_)->{status}, 200, 'logged in') for $jwt, $other;
    $service->says($jwt, '{"active":false}');
    is(who(get('/fresh4/', $jwt)), '401 - inactive', 'logged out');

    $service->does(introspect => '500');
    is(everywhere(sub { get('/fresh4/', $jwt) }), '401 - inactive',
       'down, in all workers');
    is(get('/fresh4/', $other)->{status}, 200, 'another one');

    $gw->reload(old => 1);
    is(everywhere(sub { get('/fresh4/', $jwt) }), '401 - inactive',
       'after a reload');
    is(get('/fresh4/', $other)->{status}, 200, 'another one');
});

test('who has logged out, stays out: the cache has ended', sub {
    my $jwt = jwt();

    $service->says($jwt, '{"active":false}');
    is(who(get('/brief/', $jwt)), '401 - inactive', 'logged out');

    $service->does(introspect => '500');
    $service->forget;

    my %seen;

    wait_for(sub {
        $seen{who(get('/brief/', $jwt))}++;
        $service->asked;
    }, 'the cache to end');

    is(join(' ', keys %seen), '401 - inactive', 'down');
    is(who(get('/brief/', $jwt)), '401 - inactive', 'still');
});

test('who has logged out, stays out: with the other signature', sub {
    my ($jwt, $other) = map { jwt(-alg => 'ES256', -key => 'ec') } 1, 2;

    $service->does(introspect => 'inactive');
    is(who(get('/fresh7/', $jwt)), '401 - inactive', 'logged out');

    $service->does(introspect => '500');
    is(get('/fresh7/', $_)->{status}, 200, 'one is as good as the other')
        for $other, respelled($other);
    is(who(get('/fresh7/', $_)), '401 - inactive', 'down')
        for $jwt, respelled($jwt);
});

test('who has logged out, stays out: before the token was valid', sub {
    my ($jwt, $other) = map { jwt(nbf => $_) } (time + 33) x 2;

    $service->does(introspect => 'inactive');
    is(who(get('/fresh8/', $jwt)), '401 - inactive', 'logged out');

    $service->does(introspect => '500');
    wait_for(sub { get('/fresh8/', $other)->{status} == 200 },
             'the other one to be valid');
    is(everywhere(sub { get('/fresh8/', $jwt) }), '401 - inactive', 'down');
});

test('who has logged out, stays out: with another max_age', sub {
    my $jwt = jwt();

    $service->does(introspect => 'inactive');
    is(who(get('/aged/', $jwt)), '401 - inactive', 'logged out');

    # it is too old later than the one above

    my $other = jwt(iat => time + 2);

    $service->does(introspect => '500');
    wait_for(sub { who(get('/aged/', $other)) eq '503 - too_old' },
             'both to be too old');

    $gw->edit(sub { s/(provider aged \{.*?max_age=)5s/${1}15m/s });
    $gw->reload(old => 1);

    is(everywhere(sub { get('/aged/', $other) }), "200 user-$n ok",
       'young enough again');
    is(everywhere(sub { get('/aged/', $jwt) }), '401 - inactive', 'down');
});

test('who has logged in again, stays in', sub {
    my $jwt = jwt();

    $service->does(introspect => 'inactive');
    is(who(get('/fresh5/', $jwt)), '401 - inactive', 'inactive');
    $service->does(introspect => 'ok');
    is(get('/fresh5/', $jwt)->{status}, 200, 'active');
    $service->does(introspect => '500');
    is(everywhere(sub { get('/fresh5/', $jwt) }), "200 user-$n ok", 'down');
});

test('what is revoked, is revoked', sub {
    my $jti = jwt(jti => 'jti-1');
    my $sub = jwt(sub => 'bob', iat => time - 5);

    $service->does(introspect => '500');
    is(get('/fresh6/', $_)->{status}, 200, 'not yet') for $jti, $sub;

    my $end = time + 600;

    $redis->command(qw(XADD gw:revoked * jti jti-1 until), $end);
    $redis->command(qw(XADD gw:revoked * sub bob until), $end);

    for my $jwt ($jti, $sub) {
        wait_for(sub { get('/fresh6/', $jwt)->{status} == 401 },
                 'it to be known');
        is(everywhere(sub { get('/fresh6/', $jwt) }), '401 - revoked',
           'revoked');
    }
});

test('too many at a time', sub {
    my ($held, $jwt, $opaque) = (opaque(), jwt(), opaque());
    my $user = 'user-' . ($n - 1);

    # as many as there are workers

    $service->does(introspect => 'hang');

    my @open;

    wait_for(sub {
        push @open, send_request($gw->port, 'GET', '/single/',
                                 token => $held);
        $service->asked == 2;
    }, 'both workers to ask');

    my $r = get('/single/', $jwt);

    is(who($r) . ' ' . degraded($r), "200 $user ok 1", 'a JWT');
    is_down(get('/single/', $opaque), 'an opaque token');

    $service->does(introspect => 'ok');
    is(scalar(grep { read_response($_)->{status} != 200 } @open), 0,
       'who waits, is answered');
    is(degraded(get('/single/', $jwt)), 0, 'later');
});


test('the breaker opens, and closes', sub {
    is(metric($gw, 'gw_auth_breaker_open', provider => 'breaks'), 0,
       'closed');

    $service->does(introspect => '500');

    for (1 .. 20) {
        is(degraded(get('/breaks/', jwt())), 1, 'a JWT');
        is_down(get('/breaks/', opaque()), 'an opaque token');
    }

    # five, and a probe now and then: it takes a while

    cmp_ok($service->asked, '<', 20, 'not asked for each');
    cmp_ok($service->asked, '>=', 5, 'but for five');
    is(metric($gw, 'gw_auth_breaker_open', provider => 'breaks'), 1, 'open');

    $service->does(introspect => 'ok');
    wait_for(sub { degraded(get('/breaks/', jwt())) eq '0' },
             'the breaker to close');

    is(metric($gw, 'gw_auth_breaker_open', provider => 'breaks'), 0,
       'closed');
    is(everywhere(sub { get('/breaks/', opaque()) })
           =~ s/user-\d+ ok\K.*//r =~ s/user-\d+/U/r, '200 U ok',
       'all is well');

    my $log = $gw->error_log;

    is(scalar(() = $log =~ /"breaks" is down/g), 1, 'the log tells');
    is(scalar(() = $log =~ /"breaks" answers again/g), 1, 'both');
});

test('one probe at a time', sub {
    $service->does(introspect => '500');
    is(degraded(get('/probed/', jwt())), 1) for 1 .. 5;
    is($service->asked, 5, 'open');

    # whoever comes when it is time for a probe, waits for its answer

    $service->does(introspect => 'hang');

    my @open;

    wait_for(sub {
        push @open, send_request($gw->port, 'GET', '/probed/',
                                 token => opaque());
        $service->asked > 5;
    }, 'a probe', 60);

    for (1 .. 20) {
        is(degraded(get('/probed/', jwt())), 1, 'others do not');
    }

    is($service->asked, 6, 'one probe');

    $service->does(introspect => 'ok');

    my %statuses;

    $statuses{read_response($_)->{status}}++ for @open;

    is($statuses{200}, 1, 'the probe is answered');
    is(degraded(get('/probed/', jwt())), 0, 'closed');
});

test('who is not asked, is not counted as a failure of the token', sub {
    my $jwt = jwt();

    $service->does(introspect => '500');
    get('/open/', jwt()) for 1 .. 6;
    $service->does(introspect => 'ok');

    my $r = get('/open/', opaque());

    # Retry-After is about when somebody may ask again

    if ($r->{status} != 200) {
        is_down($r, 'open');
        cmp_ok($r->{headers}{'retry-after'}, '<=', 9, 'soon');
    }

    wait_for(sub { get('/open/', opaque())->{status} == 200 }, 'recovery');
    pass('recovered');
});

ok(metric($gw, 'gw_auth_fallback_total') > 0, 'the fallback is counted');

nothing_wrong($gw, map { "opaque-$_-0123456789" } 1 .. $n);

done_testing();
