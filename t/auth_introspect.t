# Copyright (C) The nginx gateway modules authors

# Opaque tokens and the auth service: what it is asked, which answers are
# believed, how often it is asked, and what happens to those who wait.

use strict;
use warnings;

use JSON::PP;
use MIME::Base64 qw(decode_base64url);
use Test::More;
use Time::HiRes qw(sleep);

use GWAuthService;
use GWTest;


my $service = GWAuthService->new;
my $other = GWAuthService->new('other-service');
my $upstream = GWTest::Server->new('upstream');

my $now = time;
my $n = 0;

# each provider has a breaker of its own

my %providers = (
    sessions => 'uri=/_introspect timeout=20s',
    strict => 'uri=/_introspect timeout=20s',
    fresh => 'uri=/_introspect cache=0 timeout=20s',
    brief => 'uri=/_introspect cache=1s timeout=20s',
    hasty => 'uri=/_introspect timeout=100ms',
    silent => 'uri=/_introspect timeout=4s',
    few => 'uri=/_introspect max=2 timeout=20s',
    other => 'uri=/_other timeout=20s',
    broken => 'uri=/_introspect timeout=10s',
    closed => 'uri=/_closed',
    patient => 'uri=/_patient',
    places => 'uri=/_introspect timeout=20s',
    passports => 'uri=/_introspect timeout=20s',
    (map { ("status$_" => 'uri=/_introspect') }
         qw(400 401 403 404 408 413 422 429 500)),
);

my $passport = key_file('passport.pem');

my %more = (
    strict => 'issuer    https://accounts.example.com;
               audience  gateway;
               leeway    5m;
               claims    tier=plan scope=scp;',
    fresh => 'leeway 0s;',
    brief => 'leeway 0s;',
    sessions => 'leeway 0s;',
    places => 'credential bearer header=X-Token cookie=token query=token;',
);

my $providers = join '', map { <<"END" } sort keys %providers;
    gw_auth_provider $_ {
        introspect  $providers{$_};
        subject     shared;
        @{[ $more{$_} // '' ]}
    }
END

my $locations = join '', map { <<"END" } sort keys %providers;
    location /$_/ {
        gw_auth     $_;
        proxy_pass  http://127.0.0.1:8081;
    }
END

my $gw = auth_gateway(upstream => $upstream, http => <<"END",
    gw_auth_zone     identities:2m;
    gw_passport_key  now $passport;
    log_format       uri '\$request|\$request_uri|\$args|\$arg_token|\$status';
$providers
END
    server => $service->location('/_introspect', '/introspect')
        . $other->location('/_other', '/introspect')
        . $service->location('/_closed', '/introspect') =~ s/:\d+/:1/r
        . $service->location('/_patient', '/introspect',
                             'proxy_read_timeout 50ms;')
        . <<"END");
$locations
    location /forward/ {
        gw_auth          sessions;
        gw_auth_forward  on;
        proxy_pass       http://127.0.0.1:8081;
    }

    location /passports/for/ {
        gw_auth      passports;
        gw_passport  audience=orders ttl=60s;
        proxy_pass   http://127.0.0.1:8081;
    }

    location /logged/ {
        gw_auth     places;
        access_log  /var/log/nginx/access.log uri;
        proxy_pass  http://127.0.0.1:8081;
    }

    location /any/ {
        satisfy     any;
        deny        all;
        gw_auth     fresh;
        proxy_pass  http://127.0.0.1:8081;
    }

    location /anybody/ {
        satisfy     any;
        allow       all;
        gw_auth     fresh;
        proxy_pass  http://127.0.0.1:8081;
    }

    location /pages/ {
        gw_auth     fresh;
        error_page  401 /page/401;
        error_page  503 = \@down;
        proxy_pass  http://127.0.0.1:8081;
    }

    location /page/ {
        internal;
        gw_auth     off;
        proxy_pass  http://127.0.0.1:8081;
    }

    location \@down {
        gw_auth     off;
        rewrite     ^ /down break;
        proxy_pass  http://127.0.0.1:8081;
    }

    location /tries/ {
        gw_auth    fresh;
        try_files  /nothing \@tried;
    }

    location \@tried {
        gw_auth     fresh;
        proxy_pass  http://127.0.0.1:8081;
    }

    location /small/ {
        gw_auth                  fresh;
        client_body_buffer_size  1k;
        client_max_body_size     1m;
        proxy_pass               http://127.0.0.1:8081;
    }

    location /optional/ {
        gw_auth     fresh optional;
        proxy_pass  http://127.0.0.1:8081;
    }
END


sub get {
    my ($path, $token, %arg) = @_;

    return $gw->get($path, token => $token, %arg);
}


# a token nobody has seen before

sub newcomer {
    my %claims = @_;

    $n++;

    return $service->knows("newcomer-$n-0123456789", sub => "user-$n",
                           %claims);
}


sub sends {
    my ($method, $path, $token, @more) = @_;

    return join '', "$method $path HTTP/1.1\r\nHost: localhost\r\n",
                    "Authorization: Bearer $token\r\n",
                    map({ "$_\r\n" } @more), "\r\n";
}


sub seen { return ($upstream->requests)[-1] }


sub test {
    my ($title, $code) = @_;

    $service->does(introspect => 'ok');
    $service->forget;

    subtest($title => sub {
        eval { $code->(); 1 } or fail("died: $@");
    });

    $service->does(introspect => 'ok');
}


sub held {
    my ($count) = @_;

    wait_for(sub { $service->asked == $count }, "$count introspections");
}


test('an active token', sub {
    my $token = newcomer(sub => 'alice', plan => 'gold', tier => 'silver',
                         scope => 'a b', client_id => 'web');
    my $r = get('/sessions/1', $token);

    is(who($r), '200 alice ok');
    is_deeply([ @{$r->{headers}}{map { "x-$_" }
                                 qw(tier scope client provider degraded)} ],
              [ 'silver', 'a b', 'web', 'sessions', '0' ], 'who it is');
    is(seen()->{headers}{authorization}, undef, 'the token goes no further');
    is(get('/forward/1', $token)->{status}, 200);
    is(seen()->{headers}{authorization}, "Bearer $token", 'unless it should');
});


# what is said of a token that is active, and what becomes of it; a second
# time without asking

for my $case (
    ['active', {}, '200 SUB ok'],
    ['without a time', { exp => undef }, '200 SUB ok'],
    ['expires soon', { exp => $now + 60 }, '200 SUB ok'],
    ['expired, within the leeway', { exp => $now - 5 }, '200 SUB ok'],
    ['expired', { exp => $now - 600 }, '401 - expired'],
    ['valid since now', { nbf => $now }, '200 SUB ok'],
    ['valid soon, within the leeway', { nbf => $now + 5 }, '200 SUB ok'],
    ['not yet valid', { nbf => $now + 3600 }, '401 - not_yet_valid'],
    ['issued in the future', { iat => $now + 3600 }, '401 - not_yet_valid'],
    ['no issuer', { iss => undef }, '200 SUB ok'],
    ['another issuer', { iss => 'https://evil.example.com' },
     '401 - wrong_issuer'],
    ['an issuer that begins alike', { iss => 'https://accounts.example.co' },
     '401 - wrong_issuer'],
    ['an issuer of another type', { iss => ['https://accounts.example.com'] },
     '401 - bad_claim'],
    ['another audience', { aud => 'billing' }, '401 - wrong_audience'],
    ['no audience', { aud => undef }, '401 - wrong_audience'],
    ['several audiences', { aud => ['a', 'gateway'] }, '200 SUB ok'],
    ['an audience of another type', { aud => { gateway => 1 } },
     '401 - bad_claim'],
    ['no subject', { sub => undef }, '401 - bad_claim'],
    ['an empty subject', { sub => '' }, '401 - bad_claim'],
    ['a subject that is a number', { sub => 42 }, '401 - bad_claim'],
    ['a subject with a line feed', { sub => "a\nb" }, '401 - bad_claim'],
    ['a subject with a NUL', { sub => "a\0b" }, '401 - bad_claim|503 -'],
    ['a subject that is long', { sub => 'x' x 5000 }, '401 - bad_claim'],
    ['a time that is a string', { exp => '"soon"' }, '401 - bad_claim'],
    ['a time that is huge', { exp => '1e30' }, '401 - bad_claim'],
    ['a tier that is a list of lists', { plan => [[1]] }, '401 - bad_claim'],
) {
    my ($title, $claims, $want) = @$case;

    test("active: $title", sub {
        my $token = "case-" . $n++ . '-0123456789';
        my %claims = (active => JSON::PP::true, sub => 'SUB',
                      iss => 'https://accounts.example.com',
                      aud => 'gateway', exp => $now + 3600, %$claims);
        my $exp = $claims{exp} // '';

        delete @claims{grep { !defined $claims{$_} } keys %claims};
        $claims{exp} = 1 if exists $claims{exp};

        my $text = JSON::PP->new->canonical->utf8->encode(\%claims);

        $service->says($token, $text =~ s/"exp":1\b/"exp":$exp/r);

        like(who(get('/strict/', $token)), qr/\A(?:$want)/, 'once');
        like(who(get('/strict/', $token)), qr/\A(?:$want)/, 'twice');
        is($service->asked, 1, 'asked once') if $want !~ /503/;
    });
}


# answers that are none; a good one in between, or the breaker opens

for my $case (
    ['active is a string', '{"active":"true","sub":"x"}'],
    ['active is a number', '{"active":1,"sub":"x"}'],
    ['active is null', '{"active":null,"sub":"x"}'],
    ['active is missing', '{"sub":"x"}'],
    ['active twice', '{"active":false,"active":true,"sub":"x"}'],
    ['a list', '[{"active":true,"sub":"x"}]'],
    ['no JSON', 'active=true&sub=x'],
    ['true', 'true'],
    ['something behind it', '{"active":true,"sub":"x"}{}'],
    ['no UTF-8', qq({"active":true,"sub":"\xff"})],
    ['deeply nested', '{"active":true,"sub":"x","y":' . '[' x 3000
                      . ']' x 3000 . '}'],
    ['longer than 64 KB', '{"active":true,"sub":"x","y":"' . 'y' x 70000
                          . '"}'],
) {
    my ($title, $text) = @$case;

    test("malformed: $title", sub {
        my $token = $service->says('malformed-' . $n++ . '-0123', $text);

        is_down(get('/broken/', $token), 'once');
        is(who(get('/broken/', newcomer())), "200 user-$n ok", 'another one');
        is(who(get('/broken/', $token)), '503 - introspection_unavailable',
           'twice');
        is($service->asked, 3, 'asked each time');
    });
}


for my $mode (qw(400 404 429 500 502 503 301 201 204 empty html truncated
                 partial close garbage huge gzip))
{
    test("answers: $mode", sub {
        my $token = newcomer();

        $service->does(introspect => $mode);
        is_down(get('/broken/', $token), "answer $mode");

        $service->does(introspect => 'ok');
        is(who(get('/broken/', $token)), "200 user-$n ok",
           'nothing is remembered');
    });
}

for my $mode (qw(401 403 inactive)) {
    test("answers: $mode, which is one", sub {
        my $token = newcomer();

        $service->does(introspect => $mode);

        for (1 .. 3) {
            my $r = get('/sessions/', $token);

            is(who($r), '401 - inactive');
            is($r->{headers}{'www-authenticate'},
               'Bearer realm="gateway", error="invalid_token"', 'challenge');
        }

        is($service->asked, 1, 'asked once');
    });
}

# a client may make it say so; more in a row than open the breaker

for my $mode (qw(400 401 403 404 413 422)) {
    test("answers to odd tokens: $mode", sub {
        my ($name, $token) = ("status$mode", newcomer());

        $service->does(introspect => $mode);
        get("/$name/", "odd-$mode-$_") for 1 .. 6;
        is($service->asked, 6, 'asked about each');
        is(metric($gw, 'gw_auth_breaker_open', provider => $name), 0,
           'the breaker is closed');

        $service->does(introspect => 'ok');
        is(who(get("/$name/", $token)), "200 user-$n ok", 'a good one');
    });
}

for my $mode (qw(408 429 500)) {
    test("answers that tell of trouble: $mode", sub {
        my ($name, $token) = ("status$mode", newcomer());

        $service->does(introspect => $mode);
        is_down(get("/$name/", $token), "no. $_") for 1 .. 6;
        is(metric($gw, 'gw_auth_breaker_open', provider => $name), 1,
           'the breaker is open');

        $service->does(introspect => 'ok');
        wait_for(sub { get("/$name/", $token)->{status} == 200 },
                 'the breaker to close');
        is(metric($gw, 'gw_auth_breaker_open', provider => $name), 0,
           'closed');
    });
}

for my $mode (qw(hang stall slow:5000)) {
    test("answers too late: $mode", sub {
        my $token = newcomer();

        $service->does(introspect => $mode);
        is_down(get('/hasty/', $token), $mode);

        $service->does(introspect => 'ok');
        wait_for(sub { who(get('/hasty/', $token)) eq "200 user-$n ok" },
                 'an answer in time');
        pass('later it does');
    });
}

test('what the location does: no connection, its own timeout', sub {
    is_down(get('/closed/', newcomer()), 'no connection');

    $service->does(introspect => 'hang');
    is_down(get('/patient/', newcomer()), 'a timeout of the location');
});


test('an answer is asked for once', sub {
    my ($good, $bad) = (newcomer(), 'nobody-knows-0123456789');

    is(who(get('/sessions/', $good)), "200 user-$n ok") for 1 .. 5;
    is($service->asked, 1, 'active');

    is(who(get('/sessions/', $bad)), '401 - inactive') for 1 .. 5;
    is($service->asked, 2, 'inactive');
});

test('without a cache each request asks', sub {
    my ($good, $bad) = (newcomer(), 'nobody-knows-0123456789');

    is(who(get('/fresh/', $good)), "200 user-$n ok") for 1 .. 3;
    is(who(get('/fresh/', $bad)), '401 - inactive') for 1 .. 3;
    is($service->asked, 6, 'asked');
});

test('an answer holds for its time', sub {
    my $token = newcomer();

    is(who(get('/brief/', $token)), "200 user-$n ok", 'active');
    $service->says($token, '{"active":false}');
    wait_for(sub { get('/brief/', $token)->{status} == 401 },
             'the logout to be noticed');

    $service->knows($token, sub => 'again');
    wait_for(sub { get('/brief/', $token)->{status} == 200 },
             'the login to be noticed');
});

test('no longer than the token', sub {
    my ($token, $first);

    # on a machine that is so slow that it has expired there is another try

    for (1 .. 10) {
        my $end = time + 2;

        $token = newcomer(exp => $end);
        $first = who(get('/sessions/', $token));
        last if time < $end;
    }

    is($first, "200 user-$n ok", 'active');
    wait_for(sub { get('/sessions/', $token)->{status} != 200 },
             'the token to expire');
    is(who(get('/sessions/', $token)), '401 - expired', 'expired');
    cmp_ok(time, '>=', $now, 'not before');
});

test('how long a passport holds', sub {
    my %wanted = ('in an hour' => [time + 3600, 60], never => [undef, 60],
                  soon => [time + 50, 50]);

    for my $when (sort keys %wanted) {
        my $token = newcomer(exp => $wanted{$when}[0]);

        for (1, 2) {
            is(get('/passports/for/', $token)->{status}, 200, $when);

            my $jwt = seen()->{headers}{'x-passport'};
            my $c = decode_json(decode_base64url((split /\./, $jwt)[1]));
            my $ttl = $c->{exp} - $c->{iat};

            ok($ttl <= $wanted{$when}[1] && $ttl > $wanted{$when}[1] - 40,
               "$ttl seconds");
            is($c->{src}, 'opaque', 'where from');
        }
    }
});

test('a passport is no credential, whatever the auth service says', sub {
    is(get('/passports/for/', newcomer())->{status}, 200, 'has a passport');

    my $passport = seen()->{headers}{'x-passport'};
    my $asked = $service->requests;

    $service->knows($passport, sub => 'upstream');

    is(who(get('/sessions/', $passport)), '401 - bad_type', 'refused');
    is($service->requests, $asked, 'nobody is asked');
});

test('providers share nothing', sub {
    my $token = newcomer();

    $other->knows('only-there-0123456789', sub => 'other');

    for (1, 2) {
        is(who(get('/sessions/', $token)), "200 user-$n ok", 'known here');
        is(who(get('/other/', $token)), '401 - inactive', 'unknown there');
        is(who(get('/other/', 'only-there-0123456789')), '200 other ok');
        is(who(get('/sessions/', 'only-there-0123456789')),
           '401 - inactive');
    }
});


test('requests with one token wait for one answer', sub {
    my $token = newcomer();

    $service->does(introspect => 'hang');

    for my $path ('/sessions/', '/fresh/') {
        my $asked = $service->asked;
        my @open = map { send_request($gw->port, 'GET', $path,
                                      token => $token) } 1 .. 20;

        waiting($gw, 20);
        held($asked + 1);

        $service->does(introspect => 'ok');
        is(join(' ', map { who(read_response($_)) } @open),
           join(' ', ("200 user-$n ok") x 20), 'answered');

        is($service->asked, $asked + 1, 'asked once');
        $service->does(introspect => 'hang');
    }
});

test('each gets his own answer', sub {
    my @tokens = map { newcomer(sub => "own-$_") } 0 .. 9;

    $service->does(introspect => 'hang');

    my @open = map { send_request($gw->port, 'GET', '/sessions/',
                                  token => $tokens[$_ % 10]) } 0 .. 29;

    waiting($gw, 30);
    $service->does(introspect => 'ok');
    is_deeply([ map { who(read_response($_)) } @open ],
              [ map { '200 own-' . $_ % 10 . ' ok' } 0 .. 29 ]);
    is($service->asked, 10, 'asked once for each');
});

test('not more than max at a time', sub {
    my @tokens = map { newcomer(sub => "few-$_") } 0 .. 2;

    $service->does(introspect => 'hang');

    my @open = map { send_request($gw->port, 'GET', '/few/',
                                  token => $_) } @tokens[0, 1, 0, 1];

    held(2);
    waiting($gw, 4);

    is_down(get('/few/', $tokens[2]), 'one more');
    is($service->counts->{introspect_most}, 2, 'two at a time');

    $service->does(introspect => 'ok');
    is(join(' ', map { who(read_response($_)) } @open),
       '200 few-0 ok 200 few-1 ok 200 few-0 ok 200 few-1 ok', 'they wait');
    is(who(get('/few/', $tokens[2])), '200 few-2 ok', 'later');
});


test('bytes of a token', sub {
    for my $token ('a+b/c==', '%n%s%d%x%%', '%0d%0aX-Evil:1', 'a&token=b',
                   'a;b', '"quoted\\"', '{"a":1}', '../../x?y#z')
    {
        $service->knows($token, sub => 'bytes');
        is(who($gw->get('/places/', headers => ['X-Token' => $token])),
           '200 bytes ok', $token =~ s/[^ -~]/?/gr);

        my $body = ($service->requests)[-1]{body};

        is($body, 'token=' . $token =~ s/([^\w.~-])/sprintf '%%%02X',
                                                           ord $1/gera
                  . '&token_type_hint=access_token', 'the body');
    }

    my $asked = $service->requests;

    for my $token ('a b', "\xc3\xa4\xff", "tab\there", "\x7f") {
        $service->knows($token, sub => 'bytes');
        is(who($gw->get('/places/', headers => ['X-Token' => $token])),
           '401 - malformed', 'no token: ' . $token =~ s/[^ -~]/?/gr);
    }

    is($service->requests, $asked, 'nobody is asked about them');

    $service->knows('here', sub => 'bytes');

    for my $arg ([ [Cookie => 'a=b; token=here'], '' ], [ [], '?token=here' ],
                 [ ['X-Token', 'here'], '' ],
                 [ [Authorization => 'bearer here'], '' ])
    {
        is(who($gw->get("/places/$arg->[1]", headers => $arg->[0])),
           '200 bytes ok', "from @{$arg->[0]}$arg->[1]");
        unlike(JSON::PP->new->encode(seen()), qr/here/, 'and no further');
    }

    is(who(get('/places/', 'x' x 20000, timeout => 5)) =~ s/ .*//r,
       '400', 'too long for nginx');
    is(who($gw->get('/places/', headers => [Authorization => 'Bearer'])),
       '401 - malformed', 'an empty one');
});

test('what the auth service gets to see', sub {
    my $token = newcomer();

    $gw->post('/sessions/x?y=z', token => $token, body => 'secret', headers => [
        Cookie => 'session=secret', 'X-Passport' => 'secret',
        'X-Api-Key' => 'secret', 'User-Agent' => 'secret',
        'Range' => 'bytes=0-1', 'If-None-Match' => '"secret"',
        'X-Forwarded-For' => 'secret', 'Accept-Encoding' => 'gzip',
        'Content-Type' => 'text/secret', 'Expect' => '100-continue',
        'X-Forwarded-Prefix' => 'secret', 'Accept' => 'text/secret',
    ]);

    my $request = ($service->requests)[-1];

    is_deeply([ sort keys %{$request->{headers}} ],
              [ qw(accept connection content-length content-type host) ],
              'headers of our own');
    is($request->{headers}{accept}, 'application/json');
    is($request->{headers}{'content-type'},
       'application/x-www-form-urlencoded');
    is("$request->{method} $request->{uri}", 'POST /introspect');
    is($request->{body}, "token=$token&token_type_hint=access_token");
    unlike(JSON::PP->new->encode($request), qr/secret/, 'nothing else');
    is(seen()->{body}, 'secret', 'the upstream does see the body');
});


test('clients that leave', sub {
    my ($worker) = $gw->workers;

    for my $mode ('ok', 'slow:2', 'slow:20', 'hang') {
        $service->does(introspect => $mode);

        for my $path ('/fresh/', '/sessions/') {
            for my $i (1 .. 40) {
                my $token = $i % 4 ? newcomer() : 'one-for-all-0123456789';
                my $fh = open_to($gw, sends('GET', $path, $token));

                sleep(0.002);
                $i % 3 ? leave($fh) : close($fh);
            }
        }

        $service->does(introspect => 'ok');
        waiting($gw, 0);
    }

    is(who(get('/fresh/', newcomer())), "200 user-$n ok", 'and then');
    is_deeply([ $gw->workers ], [ $worker ], 'the same worker');
});

test('some of those who wait leave', sub {
    my $token = newcomer();

    $service->does(introspect => 'hang');

    my @open = map { send_request($gw->port, 'GET', '/fresh/',
                                  token => $token) } 0 .. 9;

    waiting($gw, 10);
    leave(@open[grep { $_ % 2 == 0 } 0 .. 9]);
    waiting($gw, 5);

    $service->does(introspect => 'ok');
    is(who(read_response($open[$_])), "200 user-$n ok")
        for grep { $_ % 2 } 0 .. 9;
    is($service->asked, 1, 'asked once');
});

test('one leaves, the log does not have its argument', sub {
    my $token = newcomer();

    $service->does(introspect => 'hang');

    my $fh = open_to($gw, "GET /logged/?a=b&token=$token&c HTTP/1.1\r\n"
                          . "Host: localhost\r\n\r\n");

    waiting($gw, 1);
    leave($fh);

    my $line = wait_for(sub { ($gw->access_log =~ /^(.*)\|499$/m)[0] },
                        'it to be logged');

    is($line, 'GET /logged/?a=b&token=' . '*' x length($token)
              . '&c HTTP/1.1|/logged/?a=b&c|a=b&c|-', 'logged');
});

test('all leave, the answer is kept', sub {
    my $token = newcomer();

    $service->does(introspect => 'hang');

    my $fh = open_to($gw, sends('GET', '/sessions/', $token));

    waiting($gw, 1);
    leave($fh);
    waiting($gw, 0);

    $service->does(introspect => 'ok');
    is(who(get('/sessions/', $token)), "200 user-$n ok");
    is($service->asked, 1, 'asked once');
});


test('one connection', sub {
    my @tokens = map { newcomer(sub => "line-$_") } 0 .. 4;
    my $fh = open_to($gw, '');

    for my $i (0 .. 4, 0 .. 4) {
        syswrite($fh, sends('GET', '/sessions/', $tokens[$i]));
        is(join(' ', map { who($_) } receive($fh, 1)), "200 line-$i ok",
           'one after the other');
    }

    $service->does(introspect => 'hang');

    my $all = join '', map { sends('GET', '/fresh/', $_) }
                       @tokens, 'unknown-0123456789', $tokens[0];

    $fh = open_to($gw, $all);
    held(6);
    waiting($gw, 1);
    is($service->asked, 6, 'one at a time');

    $service->does(introspect => 'ok');
    is(join(', ', map { who($_) } receive($fh, 7)),
       join(', ', map({ "200 line-$_ ok" } 0 .. 4), '401 - inactive',
            '200 line-0 ok'), 'pipelined');
});

test('bodies arrive, before and while the request waits', sub {
    my $body = join '', map { "line $_\n" } 1 .. 20000;
    my $half = int(length($body) / 2);
    my $chunked = sub {
        join '', map { sprintf("%x\r\n%s\r\n", length, $_) } @_, '';
    };

    for my $path ('/fresh/', '/small/') {
        for my $case (
            ['Content-Length: ' . length $body, substr($body, 0, $half),
             substr($body, $half)],
            ['Content-Length: ' . length $body, $body, ''],
            ['Content-Length: ' . length $body, '', $body],
            ['Transfer-Encoding: chunked',
             $chunked->(substr($body, 0, $half)) =~ s/0\r\n\r\n\z//r,
             $chunked->(substr($body, $half))],
        ) {
            my ($header, $first, $rest) = @$case;

            $service->does(introspect => 'hang');
            $service->forget;

            my $fh = open_to($gw, sends('POST', $path, newcomer(), $header));

            held(1);
            syswrite($fh, substr $first, 0, 3000);
            $fh->blocking(0);
            waiting($gw, 1);
            $service->does(introspect => 'ok');
            $fh->blocking(1);
            print $fh substr($first, 3000) if length $first > 3000;
            print $fh $rest;
            $fh->flush;

            is(join(' ', map { who($_) } receive($fh, 1)),
               "200 user-$n ok", "$path $header");
            ok(seen()->{body} eq $body, 'the same body');
        }
    }
});

test('a body that nobody reads', sub {
    my ($body, $token) = ('x' x 100000, newcomer());
    my $post = sends('POST', '/fresh/', 'unknown-6',
                     'Content-Length: ' . length $body);
    my $fh = open_to($gw, $post . $body . sends('GET', '/fresh/', $token));

    is(join(', ', map { who($_) } receive($fh, 2)),
       "401 - inactive, 200 user-$n ok", 'the next request is answered');
});

test('methods', sub {
    for my $method (qw(GET HEAD OPTIONS PUT DELETE PATCH)) {
        my $token = newcomer();
        my $r = $gw->request($method, '/sessions/', token => $token);

        is(who($r), "200 user-$n ok", $method);
        is($service->requests > 0 && ($service->requests)[-1]{method},
           'POST', 'asked by POST');
        is(who($gw->request($method, '/sessions/', token => 'unknown-1')),
           '401 - inactive', "$method, inactive");
        is(who($gw->request($method, '/sessions/')), '401 - missing',
           "$method, nobody");
    }

    is($gw->request('HEAD', '/fresh/', token => 'unknown-1')->{body}, '',
       'HEAD has no body');
});


test('satisfy any', sub {
    my $token = newcomer();

    is(who(get('/any/', $token)), "200 user-$n ok", 'a token suffices');
    is($gw->get('/any/', token => 'unknown-2')->{status}, 401, 'or not');
    is($gw->get('/any/')->{status}, 401, 'nobody');

    is(get('/anybody/', 'unknown-2')->{status}, 200, 'an address suffices');
    is(get('/anybody/', newcomer())->{status}, 200, 'with a token');

    $service->does(introspect => '500');
    is(get('/any/', $token)->{status}, 503, 'down');
    $service->does(introspect => 'ok');
});

test('error_page', sub {
    my $r = get('/pages/', 'unknown-3');

    is("$r->{status} " . ($r->{json}{uri} // '-'), '401 /page/401', 'its page');
    is($r->{headers}{'www-authenticate'},
       'Bearer realm="gateway", error="invalid_token"', 'its challenge');
    is(get('/pages/', newcomer())->{status}, 200, 'not for others');
    is($service->asked, 2, 'asked twice');

    $service->does(introspect => '500');
    $r = get('/pages/', newcomer());
    is($r->{status}, 200, 'another answer for 503');
    $service->does(introspect => 'ok');
    is(who(get('/fresh/', newcomer())), "200 user-$n ok");
});

test('try_files, and a second pass', sub {
    is(who(get('/tries/', newcomer())), "200 user-$n ok");
    is($service->asked, 1, 'asked once');
    is(who(get('/tries/', 'unknown-4')), '401 - inactive');
    is($service->asked, 2, 'asked once');
});

test('optional: absent passes, inactive and unknown do not', sub {
    is(who($gw->get('/optional/')), '200 - missing', 'absent');
    is(who(get('/optional/', 'unknown-5')), '401 - inactive', 'inactive');
    is(who(get('/optional/', newcomer())), "200 user-$n ok", 'active');

    $service->does(introspect => '500');
    is_down(get('/optional/', newcomer()), 'down');
    $service->does(introspect => 'ok');
    is(who(get('/fresh/', newcomer())), "200 user-$n ok");
});


test('a reload while requests wait', sub {
    my ($old) = $gw->workers;
    my $token = newcomer();

    $service->does(introspect => 'hang');

    my @open = map { send_request($gw->port, 'GET', $_, token => $token) }
               '/sessions/', '/fresh/';

    waiting($gw, 2);
    $gw->reload;

    $service->does(introspect => 'ok');

    for (@open) {
        my $r = read_response($_);

        is(who($r), "200 user-$n ok", 'answered');
        is($r->{headers}{'x-pid'}, $old, 'by the old worker');
    }

    wait_for(sub { !grep { $_ == $old } $gw->workers }, 'it to end');

    is(who(get('/sessions/', $token)), "200 user-$n ok", 'known after it');
    is($service->asked, 2, 'without asking');
});

test('a reload while the auth service is silent', sub {
    my ($old) = $gw->workers;

    $service->does(introspect => 'hang');

    my $fh = send_request($gw->port, 'GET', '/silent/',
                          token => newcomer());

    waiting($gw, 1);
    $gw->reload;
    is_down(read_response($fh), 'the old worker');
    wait_for(sub { !grep { $_ == $old } $gw->workers }, 'it to end');
});

nothing_wrong($gw, map({ "newcomer-$_-0123456789" } 1 .. $n),
              'one-for-all-0123456789', 'nobody-knows-0123456789',
              'only-there-0123456789', 'X-Evil');

ok($gw->error_log =~ /\[error\] .*: introspection for "\w+" failed: the answer/,
   'the log says why');

done_testing();
