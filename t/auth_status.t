# Copyright (C) The nginx gateway modules authors

# Why a request was refused: $gw_auth_status, the line in the error log, and
# the counter.  No secret is in any of them.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);

use GWAuthService;
use GWTest;


my $service = GWAuthService->new;
my $redis = GWTest::Server->new('redis', 'status-redis');
my $upstream = GWTest::Server->new('upstream');

my ($keys, $n, @secrets) = (key_file('jwks.json'), 0);

GWTest::write_file('status-page.txt', "a page\n");

my $http = <<"END";
    gw_auth_zone         identities:1m;
    gw_auth_redis        redis://127.0.0.1:6379 timeout=10s;
    gw_auth_revocations  key=gw:revoked refresh=100ms stale=8s;
    gw_passport_key      now @{[ key_file('passport.pem') ]};

    large_client_header_buffers  4 32k;

    gw_auth_provider accounts {
        issuer      https://accounts.example.com;
        audience    gateway;
        jwks        file=$keys;
        leeway      0s;
        credential  bearer cookie=session;
        subject     shared;
    }

    gw_auth_provider remote {
        issuer    https://remote.example.com;
        audience  gateway;
        jwks      uri=/_nowhere timeout=100ms;
        subject   prefix=r:;
    }

    gw_auth_provider sessions {
        introspect  uri=/_introspect;
        leeway      0s;
        subject     prefix=s:;
    }

    gw_auth_provider down {
        introspect  uri=/_nowhere;
        fallback    accounts max_age=60s;
        subject     prefix=d:;
    }

    gw_auth_provider partners {
        api_key  header=X-API-Key;
        subject  prefix=p:;
    }
END

my $server = $service->location('/_introspect', '/introspect') . <<"END";
    location = /_nowhere {
        internal;
        proxy_pass  http://127.0.0.1:1;
    }

    location = /page {
        alias       @{[ GWTest::run_dir() ]}/status-page.txt;
        error_page  412 = /opaque/page;
    }
END

$server .= join '', map { my ($path, $lines) = @$_; <<"END" }
    location $path {
        $lines;
        proxy_pass  http://127.0.0.1:8081;
    }
END
    ['/jwt', 'gw_auth accounts; gw_passport audience=orders'],
    ['/optional', 'gw_auth accounts optional'],
    ['/scope', 'gw_auth accounts; gw_auth_require scope=admin'],
    ['/claim', 'gw_auth accounts; gw_auth_require sub=nobody'],
    ['/opaque', 'gw_auth sessions'],
    ['/remote', 'gw_auth remote'],
    ['/down', 'gw_auth down'],
    ['/strict', 'gw_auth down; gw_auth_fallback off'],
    ['/key', 'gw_auth partners'],
    ['/off', 'gw_auth off'];

my $gw = auth_gateway(upstream => $upstream, redis => $redis, http => $http,
                      server => $server);


sub jwt {
    my $token = token(sub => 'user-' . ++$n, iat => int time, @_);

    push @secrets, "user-$n", (split /\./, $token)[1, 2];

    return $token;
}


sub opaque {
    my $token = 'opaque-' . ++$n . '-0123456789';

    push @secrets, $token;

    return $token;
}


sub key {
    my (%fields) = @_;

    my $key = 'key-' . ++$n . '-of-a-partner';

    push @secrets, $key, sha256_hex($key);
    $redis->command('HSET', 'gw:key:' . sha256_hex($key), %fields) if %fields;

    return (headers => ['X-API-Key' => $key]);
}


# one request: its status and reason, the end of its line in the log, what was
# counted; returns what "rest" of the line matched

sub refused {
    my ($title, $wanted, $rest, $provider, $path, %arg) = @_;

    my ($status, $reason) = split ' ', $wanted;
    my @label = (provider => $provider, result => $reason);
    my $before = metric($gw, 'gw_auth_decisions_total', @label) // 0;
    my $at = length $gw->error_log;

    my $r = $gw->get($path, %arg);

    is(who($r) =~ s/ \S+ / /r, $wanted, "$title: status");

    my @lines = grep { /gw auth: / }
                split /\n/, substr $gw->error_log, $at;
    my $line = (grep { /gw auth: refused/ } @lines)[0] // '';
    my $who = $provider eq '' ? '' : ", provider \"$provider\"";

    is(scalar(grep { /refused/ } @lines), 1, "$title: one line");
    my $regex = qr/\[info\].*gw auth: refused: $reason$rest$who, client/;

    ok(my @found = $line =~ $regex, "$title: the line") || diag($line);

    is((metric($gw, 'gw_auth_decisions_total', @label) // 0) - $before, 1,
       "$title: counted");

    my $told = join ' ', $r->{body}, %{{ %{$r->{headers}}, 'x-reason' => '' }};

    ok($told !~ /\Q$reason\E/ || $reason =~ /\Ainsufficient_scope\z/,
       "$title: the client is not told");

    return @found;
}


sub test {
    my ($title, $code) = @_;

    subtest($title => sub {
        eval { $code->(); 1 } or fail("died: $@");
    });
}


test('let in', sub {
    my $at = length $gw->error_log;

    is(who($gw->get('/jwt', token => jwt())), "200 user-$n ok", 'ok');
    is(who($gw->get('/optional')), '200 - missing', 'optional');
    is(who($gw->get('/off', token => jwt())), '200 - -', 'off');
    is(metric($gw, 'gw_auth_decisions_total', provider => 'accounts',
              result => 'ok'), 1, 'counted');
    unlike(substr($gw->error_log, $at), qr/gw auth: refused/, 'no line');
});


test('the credential is none', sub {
    refused('missing', '401 missing', '', '', '/jwt');
    refused('another scheme', '401 missing', '', '', '/jwt',
            headers => [Authorization => 'Basic YTpi']);

    my $token = jwt();

    refused('two', '400 multiple_credentials', '', '', '/jwt',
            token => $token, headers => [Cookie => "session=$token"]);
    refused('not a token', '401 malformed', '', '', '/jwt',
            token => opaque());
    refused('too long', '401 too_long', '', '', '/jwt',
            token => jwt() . 'x' x 17000);
});


test('the token is not what it should be', sub {
    my $b64 = sub {
        my ($header, $claims) = @_;

        return unsigned_token({ alg => 'RS256', kid => 'rsa', %$header },
                              { iss => 'https://accounts.example.com',
                                aud => 'gateway', sub => 'secret-subject',
                                exp => int(time) + 60, %{$claims // {}} },
                              'c2lnbmF0dXJlLW9mLW5v');
    };

    push @secrets, 'secret-subject', 'c2lnbmF0dXJlLW9mLW5v';

    refused('bad_type', '401 bad_type', '', '', '/jwt',
            token => $b64->({ typ => 'passport+jwt' }));
    refused('critical', '401 unsupported_critical', '', '', '/jwt',
            token => $b64->({ crit => ['exp'] }));
    refused('algorithm, unknown', '401 bad_algorithm', '', '', '/jwt',
            token => $b64->({ alg => 'none' }));
    refused('algorithm, not listed', '401 bad_algorithm', '', 'accounts',
            '/jwt', token => $b64->({ alg => 'PS512' }));
    refused('signature', '401 bad_signature', '', 'accounts', '/jwt',
            token => $b64->({})) for 1, 2;
    refused('issuer', '401 wrong_issuer', '', '', '/jwt',
            token => jwt(iss => 'https://secret-issuer.example.com'));
    refused('audience', '401 wrong_audience', '', 'accounts', '/jwt',
            token => jwt(aud => 'secret-audience'));
    refused('no end', '401 missing_expiry', '', 'accounts', '/jwt',
            token => jwt(-exp => undef));
    refused('a claim', '401 bad_claim', '', 'accounts', '/jwt',
            token => jwt(tier => ['secret tier']));
    refused('no passport holds it', '401 bad_claim', '', 'accounts', '/jwt',
            token => jwt(sub => '"' x 255, scope => '"' x 1024,
                         tier => '"' x 64, azp => '"' x 255));

    push @secrets, qw(secret-issuer secret-audience), 'secret tier';
});


test('a key that nobody knows', sub {
    refused('kid', '401 unknown_key', ', kid "2026-13"', 'accounts', '/jwt',
            token => jwt(-kid => '2026-13'));
    refused('kid, odd', '401 unknown_key', ', kid "a%n%s\\\\%V "b"',
            'accounts', '/jwt', token => jwt(-kid => 'a%n%s\\%V "b'));
    refused('kid, long', '401 unknown_key', ', kid "' . 'k' x 256 . '"',
            'accounts', '/jwt', token => jwt(-kid => 'k' x 256));
    refused('kid of another algorithm', '401 unknown_key', ', kid "ec"',
            'accounts', '/jwt', token => jwt(-kid => 'ec'));
});


test('early and late', sub {
    my $now = int time;
    my $exp = $now - 100;

    my ($by) = refused('expired', '401 expired', ' by (\d+) s', 'accounts',
                       '/jwt', token => jwt(-exp => undef, exp => $exp));

    cmp_ok($by, '>=', 100, 'expired: by at least');
    cmp_ok($by, '<=', time - $exp, 'expired: by at most');

    ($by) = refused('optional', '401 expired', ' by (\d+) s', 'accounts',
                    '/optional', token => jwt(-exp => undef, exp => $exp));

    cmp_ok($by, '>=', 100, 'optional: by at least');

    for my $claim (qw(nbf iat)) {
        my $begin = int(time) + 1000;
        my ($for) = refused($claim, '401 not_yet_valid', ' for (\d+) s',
                            'accounts', '/jwt', token => jwt($claim => $begin));

        cmp_ok($for, '<=', 1000, "$claim: for at most");
        cmp_ok($for, '>=', $begin - time - 1, "$claim: for at least");
    }
});


test('what a location asks for', sub {
    my $token = jwt(scope => 'secret-scope');

    push @secrets, 'secret-scope';

    for my $round ('first', 'hit') {
        refused("scope, $round", '403 insufficient_scope', '', 'accounts',
                '/scope', token => $token);
        refused("claim, $round", '403 insufficient_claim', '', 'accounts',
                '/claim', token => $token);
    }
});


test('opaque tokens', sub {
    refused('inactive', '401 inactive', '', 'sessions', '/opaque',
            token => opaque());

    my $late = $service->knows(opaque(), sub => 'secret-42',
                               exp => time - 100);
    my $early = $service->knows(opaque(), sub => 'secret-42',
                                nbf => int(time) + 1000);
    my $nobody = $service->knows(opaque());

    push @secrets, 'secret-42';

    # by how much is not known to all who hear of it

    for my $round ('first', 'known') {
        refused("late, $round", '401 expired', '(?: by [1-9]\d* s)?',
                'sessions', '/opaque', token => $late);
        refused("early, $round", '401 not_yet_valid',
                '(?: for [1-9]\d* s)?', 'sessions', '/opaque',
                token => $early);
    }

    refused('nobody', '401 bad_claim', '', 'sessions', '/opaque',
            token => $nobody);
});


test('API keys', sub {
    refused('unknown', '401 unknown_api_key', '', 'partners', '/key', key());
    refused('disabled', '401 disabled', '', 'partners', '/key',
            key(subject => 'secret-7', enabled => 0));
    refused('expired', '401 expired', '(?: by [1-9]\d* s)?', 'partners',
            '/key', key(subject => 'secret-7', expires => int(time) - 100));
    refused('no subject', '401 bad_claim', '', 'partners', '/key',
            key(tier => 'gold'));

    push @secrets, 'secret-7';
});


test('revoked', sub {
    my $token = jwt(jti => 'secret-jti');

    push @secrets, 'secret-jti';

    is(who($gw->get('/jwt', token => $token)) =~ s/ \S+ / /r, '200 ok',
       'before');
    $redis->command('XADD', 'gw:revoked', '*', 'jti', 'secret-jti', 'until',
                    int(time) + 3600);
    wait_for(sub { $gw->get('/jwt', token => $token)->{status} == 401 },
             'the list');

    refused('revoked', '401 revoked', '', 'accounts', '/jwt',
            token => $token);
});


test('nobody can say', sub {
    refused('no keys', '503 keys_unavailable', '', 'remote', '/remote',
            token => jwt(iss => 'https://remote.example.com'));
    refused('no answer', '503 introspection_unavailable', '', 'down',
            '/down', token => opaque());
    refused('no fallback', '503 introspection_unavailable', '', 'down',
            '/strict', token => jwt());

    is(who($gw->get('/down', token => jwt())), "200 d:user-$n ok",
       'the fallback');

    my ($by) = refused('too old', '503 too_old', ' by (\d+) s', 'down',
                       '/down', token => jwt(iat => int(time) - 100));

    cmp_ok($by, '>=', 40, 'too old: by at least');

    ($by) = refused('expired', '401 expired', ' by (\d+) s', 'down', '/down',
                    token => jwt(-exp => '-50'));
    cmp_ok($by, '>=', 50, 'expired: by at least');
});


# the page of a filter can't wait for an answer

test('unavailable', sub {
    my $token = $service->knows(opaque(), sub => 'secret-42');
    my $at = length $gw->access_log;
    my $r = $gw->get('/page', token => $token,
                     headers => ['If-Match' => '"x"']);

    is($r->{status}, 503, 'status');
    wait_for(sub { length $gw->access_log > $at }, 'access.log');
    like(substr($gw->access_log, $at), qr/ 503 - unavailable$/m, 'reason');
    like($gw->error_log,
         qr/gw auth: refused: unavailable, provider "sessions", client/,
         'the line');
});


test('without Redis', sub {
    $redis->stop;

    wait_for(sub {
        who($gw->get('/jwt', token => jwt())) =~ / revocations_unavailable/
    }, 'the list to be stale');

    refused('API key', '503 redis_unavailable', '', 'partners', '/key',
            key());
    refused('revocations', '503 revocations_unavailable', '', 'accounts',
            '/jwt', token => jwt());

    $redis->start;

    wait_for(sub {
        who($gw->get('/jwt', token => jwt())) =~ /\A200 /
    }, 'Redis');
    pass('and back');
});


# those that are there, and no other

my %seen = map { / \d{3} \S+ (\w+)$/ ? ($1 => 1) : () }
           split /\n/, $gw->access_log;

is(join(' ', sort keys %seen), join(' ', sort qw(
    ok missing multiple_credentials malformed too_long bad_type
    unsupported_critical bad_algorithm unknown_key bad_signature wrong_issuer
    wrong_audience missing_expiry expired not_yet_valid bad_claim inactive
    unknown_api_key disabled revoked too_old insufficient_scope
    insufficient_claim keys_unavailable introspection_unavailable
    redis_unavailable revocations_unavailable unavailable
)), 'all values');

# $gw_subject is in the access log

is(join("\n", $gw->trouble), '', 'nothing went wrong');
is(join(' ', grep { index($gw->error_log, $_) >= 0 } @secrets), '',
   'no secret in the error log');
done_testing();
