# Copyright (C) The nginx gateway modules authors

# The identity zone: what was verified once holds for this credential, at this
# provider, until it ends; what a location asks for is never kept in it.

use strict;
use warnings;

use JSON::PP;
use MIME::Base64 qw(decode_base64url);
use Test::More;
use Time::HiRes qw(time);

use GWAuthService;
use GWE2E;
use GWTest;


my $service = GWAuthService->new;
my $upstream = GWTest::Server->new('upstream');

my ($keys, $n, @secrets) = (key_file('jwks.json'), 0);

my $facts = join '|', map { "\$gw_$_" }
            qw(tier scope client auth_provider auth_degraded claim_iss
               claim_level claim_flag claim_roles claim_name claim_nobody
               claim_plan);

my $http = <<"END";
    gw_auth_zone     identities:1m;
    gw_passport_key  now @{[ key_file('passport.pem') ]};

    large_client_header_buffers  8 32k;
    proxy_buffer_size            32k;
    proxy_buffers                8 32k;
    proxy_busy_buffers_size      32k;

    gw_auth_provider accounts {
        issuer      https://accounts.example.com;
        audience    gateway;
        jwks        file=$keys;
        leeway      0s;
        claims      tier=plan scope=scp;
        credential  bearer cookie=session;
        subject     shared;
    }

    gw_auth_provider partners {
        issuer      https://partners.example.com;
        audience    gateway;
        jwks        file=$keys;
        leeway      0s;
        subject     prefix=p:;
    }

    gw_auth_provider staff {
        issuer      https://staff.example.com;
        audience    gateway;
        jwks        file=$keys;
        leeway      0s;
        credential  header=X-Token;
        subject     shared;
    }

    gw_auth_provider one {
        introspect  uri=/_introspect;
        subject     prefix=one:;
    }

    gw_auth_provider two {
        introspect  uri=/_introspect;
        claims      tier=other scope=scp;
        subject     prefix=two:;
    }
END

# locations of their own: what differs between "p1" and the others is in the
# passports alone

my %passports = (
    p1 => 'gw_passport audience=orders',
    p2 => 'gw_passport audience=billing',
    p3 => 'gw_passport audience=orders,billing',
    p4 => 'gw_passport audience=orders ttl=5m',
    p5 => 'gw_passport audience=orders issuer=edge',
    p6 => 'gw_passport audience=orders; gw_passport_header X-Who-Calls',
    p7 => 'gw_passport audience=orders; gw_passport_claim note $arg_note;'
          . 'gw_passport_claim more $arg_more',
    p8 => 'gw_passport audience=orders; gw_passport_claim more $arg_note',
    p9 => 'gw_passport off',
);

my $server = $service->location('/_introspect', '/introspect')
    . join '', map { <<"END" } sort keys %passports;
    location /$_ {
        gw_auth     accounts partners;
        proxy_pass  http://127.0.0.1:8081;
        $passports{$_};
    }
END

$server .= <<'END' =~ s/FACTS/$facts/r;
    location / {
        gw_auth     accounts partners staff;
        proxy_pass  http://127.0.0.1:8081;

        add_header  X-Subject   $gw_subject always;
        add_header  X-Reason    $gw_auth_status always;
        add_header  X-Facts     "FACTS" always;
    }
    location /read {
        gw_auth          accounts partners staff;
        gw_auth_require  scope=read;
        proxy_pass       http://127.0.0.1:8081;
    }
    location /level {
        gw_auth          accounts;
        gw_auth_require  level=3 roles=a;
        proxy_pass       http://127.0.0.1:8081;
    }
    location /admin {
        gw_auth          accounts partners staff;
        gw_auth_require  scope=admin;
        proxy_pass       http://127.0.0.1:8081;
    }
    location /partners {
        gw_auth     partners;
        proxy_pass  http://127.0.0.1:8081;
    }
    location /staff {
        gw_auth     staff;
        proxy_pass  http://127.0.0.1:8081;
    }
    location /optional {
        gw_auth     accounts optional;
        proxy_pass  http://127.0.0.1:8081;
    }
    location /one {
        gw_auth      one;
        gw_passport  audience=orders;
        proxy_pass   http://127.0.0.1:8081;
    }
    location /two {
        gw_auth      two;
        gw_passport  audience=orders;
        proxy_pass   http://127.0.0.1:8081;
    }
END

my $gw = auth_gateway(upstream => $upstream, http => $http,
                      server => $server, workers => 3);


# a token nobody has seen before

sub jwt {
    my %claims = (sub => 'user-' . ++$n, azp => 'web', plan => 'gold',
                  scp => 'read write', iat => int time,
                  jti => "id-$n-of-a-token", @_);

    my $token = token(%claims);

    push @secrets, (split /\./, $token)[1, 2];

    return $token;
}


sub partner { return jwt(iss => 'https://partners.example.com', @_) }
sub staff   { return jwt(iss => 'https://staff.example.com', @_) }


# the same with another signature

sub forged {
    my ($token) = @_;

    return $token =~ s{\.(.)([^.]*)\z}{'.' . ($1 eq 'A' ? 'B' : 'A') . $2}er;
}


sub says {
    my ($path, $token, @more) = @_;

    return who($gw->get($path, token => $token, @more));
}


sub hits {
    my ($part) = @_;

    return map { metric($gw, "gw_auth_zone_${_}_total", part => $part) }
           qw(hits misses);
}


# the claims of what the upstream got, and in which header

sub passport {
    my ($r) = @_;

    my $h = $r->{json}{headers} // decode_json($r->{body})->{headers};
    my @names = grep { $h->{$_} =~ /\A[\w-]+\.[\w-]+\.[\w-]+\z/ }
                sort keys %$h;

    return { names => "@names" } if @names != 1;

    my $claims = decode_json(decode_base64url((split /\./,
                                               $h->{$names[0]})[1]));

    return { %$claims, names => $names[0] };
}


sub stable {
    my ($p) = @_;

    my $ttl = defined $p->{exp} ? $p->{exp} - $p->{iat} : '-';

    return join ' ', map { ref ? join(',', @$_) : $_ // '-' }
                     @$p{qw(names aud sub iss note more)}, $ttl;
}


sub test {
    my ($title, $code) = @_;

    subtest($title => sub {
        eval { $code->(); 1 } or fail("died: $@");
    });
}


test('a hit tells the same as the first sight', sub {
    my $token = jwt(level => 3, flag => JSON::PP::true, roles => ['a', 'b'],
                    name => ["a", "\"b\""]);

    my ($hits, $misses) = hits('identities');
    my @facts = map {
        my $r = $gw->get('/', token => $token);
        who($r) . ' ' . $r->{headers}{'x-facts'}
    } 1 .. 5;
    my ($more, $less) = hits('identities');

    is($facts[0], "200 user-$n ok gold|read write|web|accounts|0|"
                  . 'https://accounts.example.com|3|true|a b|'
                  . 'a "b"||gold', 'the first');
    is($facts[$_], $facts[0], "hit $_") for 1 .. 4;

    # before it is found the provider behind it may have been asked, too

    is($more - $hits, 4, 'four hits');
    cmp_ok($less - $misses, '>=', 1, 'a miss');
});


test('workers share it', sub {
    my $token = jwt();
    my ($first) = $gw->get('/', token => $token)->{headers}{'x-pid'} // 0;
    my ($hits) = hits('identities');
    my (%pids, $asked);

    # "/" has headers of its own, the others those of the server

    wait_for(sub {
        my @done = at_once($gw, map { ['/p9', token => $token] } 1 .. 6);

        $asked += @done;
        $pids{$_->{headers}{'x-pid'}} = 1 for @done;
        is(join(' ', map { who($_) } @done),
           join(' ', map { "200 user-$n ok" } @done), 'all the same')
            if grep { who($_) ne "200 user-$n ok" } @done;

        keys %pids > 1;
    }, 'several workers');

    is((hits('identities'))[0] - $hits, $asked, 'each was a hit');
});


test('a token that ends while it is in there', sub {
    my ($token, $hits, @says);

    # on a machine that is so slow that it has ended there is another try

    for (1 .. 10) {
        my $end = int(time) + 2;

        $token = jwt(-exp => undef, exp => $end);
        ($hits) = hits('identities');
        @says = map { says('/', $token) } 1, 2;
        last if time < $end;
    }

    is(join(', ', @says), "200 user-$n ok, 200 user-$n ok", 'before');
    is((hits('identities'))[0] - $hits, 1, 'the second was a hit');

    wait_for(sub { says('/', $token) eq '401 - expired' }, 'its end');

    is(says($_, $token), '401 - expired', "at $_")
        for '/', '/read', '/p1', '/optional';
    like($gw->error_log,
         qr/gw auth: refused: expired(?: by \d+ s)?, provider "accounts"/,
         'the log');
});


test('a token that begins later', sub {
    my $nbf = int(time) + 2;
    my $token = jwt(nbf => $nbf);

    my $first = says('/', $token);
    my $at = time;

    is($first, '401 - not_yet_valid', 'before') if $at < $nbf;

    wait_for(sub { says('/', $token) eq "200 user-$n ok" }, 'its begin');
    cmp_ok(int(time), '>=', $nbf, 'not before');
});


test('what a location asks for comes after the hit, in both orders', sub {
    for my $paths (['/read', '/admin', '/', '/level'],
                   ['/admin', '/read', '/level', '/'],
                   ['/', '/admin', '/admin', '/read'],
                   ['/level', '/admin', '/read', '/admin'])
    {
        my $token = jwt(level => 3, roles => ['a']);

        is(says($_, $token),
           $_ eq '/admin' ? "403 user-$n insufficient_scope"
                          : "200 user-$n ok", "$_ of @$paths") for @$paths;
    }

    my $token = jwt(level => 2, roles => ['a']);

    is(says('/', $token), "200 user-$n ok", 'lower');
    is(says('/level', $token), "403 user-$n insufficient_claim", 'too low');
    is(says('/level', $token), "403 user-$n insufficient_claim", 'hit');
    is(says('/', $token), "200 user-$n ok", 'still good elsewhere');
});


test('an issuer the location does not list, after a hit elsewhere', sub {
    for my $paths (['/', '/partners'], ['/partners', '/', '/partners']) {
        my $token = jwt();

        is(says($_, $token), $_ eq '/' ? "200 user-$n ok"
                                       : '401 - wrong_issuer', "$_ of @$paths")
            for @$paths;
    }
});


test('equal "sub" of several issuers', sub {
    my @tokens = (jwt(sub => 'u42'), partner(sub => 'u42'));
    my $staff = staff(sub => 'u42');
    my $trap = jwt(sub => 'p:u42');

    for my $turn ('first', 'hit') {
        is(join(' ', map { says('/', $_) } @tokens),
           '200 u42 ok 200 p:u42 ok', "$turn: a prefix");
        is(who($gw->get('/', headers => ['X-Token' => $staff])),
           '200 u42 ok', "$turn: shared");

        my @r = map { $gw->get('/p1', token => $_) } @tokens;

        is(join(' ', map { passport($_)->{sub} } @r), 'u42 p:u42',
           "$turn: passports");
    }

    is($gw->get('/', token => $_)->{headers}{'x-facts'} =~ /\|(\w+)\|0\|/ && $1,
       'accounts', 'who answers') for $trap, $tokens[0];
});


test('equal tokens at two providers', sub {
    for my $paths (['/one', '/two', '/one', '/two'], ['/two', '/one', '/two'])
    {
        my $token = 'opaque-' . ++$n . '-0123456789';

        push @secrets, $token;
        $service->knows($token, sub => '42', tier => 'gold', other => 'lead',
                        scp => 'read');

        for my $path (@$paths) {
            my $r = $gw->get($path, token => $token);
            my ($name) = $path =~ /(\w+)/;
            my $p = passport($r);

            is(join(' ', who($r), $r->{headers}{'x-tier'}, $p->{sub},
                    $p->{tier}),
               "200 $name:42 ok " . ($name eq 'one' ? 'gold' : 'lead')
               . " $name:42 " . ($name eq 'one' ? 'gold' : 'lead'),
               "$path of @$paths");
        }
    }
});


test('the same credential in other places', sub {
    my $token = jwt();
    my $header = staff();
    my $name = $n - 1;

    is(says('/', $token), "200 user-$name ok", 'bearer');
    is(who($gw->get('/', headers => [Cookie => "a=b; session=$token"])),
       "200 user-$name ok", 'cookie');
    is(who($gw->get('/', headers => ['X-Token' => $token])),
       '401 - wrong_issuer', 'a place of another provider');
    is(who($gw->get('/partners', headers => [Cookie => "session=$token"])),
       '401 - missing', 'a place nobody looks at');
    is(who($gw->get('/', token => $token,
                    headers => [Cookie => "session=$token"])),
       '400 - multiple_credentials', 'two places');

    is(who($gw->get('/', headers => ['X-Token' => $header])),
       "200 user-$n ok", 'header');
    is(says('/', $header), '401 - wrong_issuer', 'as a bearer token');
    is(says('/staff', $header), '401 - missing', 'nobody looks');
    is(who($gw->get('/staff', headers => ['X-Token' => $header])),
       "200 user-$n ok", 'header again');
    is(says('/', $token), "200 user-$name ok", 'bearer again');
});


test('a forged one hurts nobody, and never gets in', sub {
    my $good = jwt();
    my $bad = forged($good);
    my ($hits) = hits('refusals');

    is(says('/', $bad), '401 - bad_signature', 'first');
    is(says('/', $bad), '401 - bad_signature', 'known to be bad');
    is((hits('refusals'))[0] - $hits, 1, 'a hit');
    is(says('/', $good), "200 user-$n ok", 'the good one');
    is(says('/', $bad), '401 - bad_signature', 'after the good one');
    is(says('/', $good), "200 user-$n ok", 'the good one again');

    $good = jwt();
    $bad = forged($good);

    is(says('/', $good), "200 user-$n ok", 'good first');
    is(says($_, $bad), '401 - bad_signature', "then the forged one at $_")
        for '/', '/optional', '/p1';
    is(says('/', $good), "200 user-$n ok", 'good again');
    is(says('/', "$good "), "200 user-$n ok", 'with a blank HTTP drops');
    is(says('/', $good . 'AAAA'), '401 - bad_signature', 'longer');
    is(says('/', substr $good, 0, -1), '401 - malformed', 'shorter');

    # claims of one, signature of another

    my $other = jwt();
    my @parts = (split(/\./, $good), split(/\./, $other));

    is(says('/', $other), "200 user-$n ok", 'another');
    is(says('/', "$parts[0].$parts[4].$parts[2]"), '401 - bad_signature',
       'mixed');
});


test('no request changes the outcome of another', sub {
    my @good = map { { token => jwt(), name => "user-$n" } } 1 .. 4;
    my @bad = map { { token => forged($_->{token}),
                      is => '401 - bad_signature' } } @good;
    my @old = map { { token => jwt(-exp => '-3600'), is => '401 - expired' } }
              1 .. 2;
    my $none = { is => '401 - missing' };
    my ($done, $wrong) = (0, 0);

    $_->{is} = "200 $_->{name} ok" for @good;

    for my $round (1 .. 6) {
        my @all = sort { $a->[0] <=> $b->[0] }
                  map { [rand, $_] } @good, @bad, @old, $none, @good;
        my @r = at_once($gw, map { ['/', token => $_->[1]{token}] } @all);

        for my $i (0 .. $#r) {
            $done++;
            next if who($r[$i]) eq $all[$i][1]{is};
            $wrong++;
            diag(who($r[$i]) . " instead of $all[$i][1]{is}");
        }
    }

    is($wrong, 0, "$done requests, mixed");

    # on one connection

    my @order = ($good[0], $bad[0], $good[0], $none, $good[1], $old[0],
                 $good[0], $bad[1], $good[1]);

    my $fh = open_to($gw, join '', map {
        "GET / HTTP/1.1\r\nHost: localhost\r\n"
        . ($_->{token} ? "Authorization: Bearer $_->{token}\r\n" : '') . "\r\n"
    } @order);

    is(join(', ', map { who($_) } receive($fh, scalar @order)),
       join(', ', map { $_->{is} } @order), 'one connection');
});


test('a passport is that of its location', sub {
    my @who = map { { token => jwt(), sub => "user-$n" } } 1 .. 2;

    my $twin = $who[1]{sub};

    push @who, { token => partner(sub => $twin), sub => "p:$twin" };

    my %want = (
        p1 => 'x-passport orders SUB gateway - - 60',
        p2 => 'x-passport billing SUB gateway - - 60',
        p3 => 'x-passport orders,billing SUB gateway - - 60',
        p4 => 'x-passport orders SUB gateway - - 300',
        p5 => 'x-passport orders SUB edge - - 60',
        p6 => 'x-who-calls orders SUB gateway - - 60',
        'p7?note=a' => 'x-passport orders SUB gateway a - 60',
        'p7?note=b' => 'x-passport orders SUB gateway b - 60',
        'p7?more=a' => 'x-passport orders SUB gateway - a 60',
        'p7?note=a&more=b' => 'x-passport orders SUB gateway a b 60',
        'p7?note=ab' => 'x-passport orders SUB gateway ab - 60',
        'p7' => 'x-passport orders SUB gateway - - 60',
        'p8?note=a' => 'x-passport orders SUB gateway - a 60',
        'p9' => ' - - - - - -',
    );

    my ($done, $wrong, $from, %jti) = (0, 0, time);

    my $look = sub {
        my ($path, $sub, $r) = @_;

        my $p = passport($r);
        my $want = $want{$path} =~ s/SUB/$sub/r;

        $done++;
        $jti{"$path $sub"}{$p->{jti} // '-'} = 1;

        return if stable($p) eq $want;
        $wrong++;
        diag("/$path: " . stable($p) . " instead of $want");
    };

    for my $round (1 .. 4) {
        my @all = sort { $a->[0] <=> $b->[0] }
                  map { my $w = $_; map { [rand, $_, $w] } keys %want } @who;
        my @r = at_once($gw, map { ["/$_->[1]", token => $_->[2]{token}] }
                             @all);

        $look->($all[$_][1], $all[$_][2]{sub}, $r[$_]) for 0 .. $#r;
    }

    my @all = sort { $a->[0] <=> $b->[0] }
              map { my $w = $_; map { [rand, $_, $w] } keys %want } @who;

    my $fh = open_to($gw, join '', map {
        "GET /$_->[1] HTTP/1.1\r\nHost: localhost\r\n"
        . "Authorization: Bearer $_->[2]{token}\r\n\r\n"
    } @all);
    my @r = receive($fh, scalar @all);

    is(scalar @r, scalar @all, 'one connection');
    $look->($all[$_][1], $all[$_][2]{sub}, $r[$_]) for 0 .. $#r;

    is($wrong, 0, "$done passports");

    # three workers may sign at the same time, but not with each request, and
    # again after half a minute

    my $most = 3 * (1 + int((time - $from) / 30));

    cmp_ok((grep { keys %$_ > $most } values %jti), '==', 0, 'they were kept');

    my %owner;
    for my $where (keys %jti) {
        my ($path, $sub) = split ' ', $where;
        my $of = $path eq 'p9' ? 'none' : $path =~ /\Ap[167]\z/ ? "same $sub"
                                                                : $where;
        $owner{$_}{$of} = 1 for grep { $_ ne '-' } keys %{$jti{$where}};
    }

    is(join(' ', grep { keys %{$owner{$_}} > 1 } keys %owner), '',
       'none serves where another is due');
});


test('a token of 15 KiB, and one whose claims are over 20 KiB', sub {
    my $long = jwt(pad => 'x' x 10000);
    my ($hits) = hits('identities');

    is(says('/', $long), "200 user-$n ok", "long $_") for 1 .. 3;
    is((hits('identities'))[0] - $hits, 2, 'long: hits');

    my $too = jwt(pad => 'x' x 14000);

    is(says('/', $too), '401 - too_long', 'too long for a credential');

    # an answer can be longer than what the zone takes

    my $opaque = 'opaque-' . ++$n . '-0123456789';
    my $asked = $service->asked;

    push @secrets, $opaque;
    $service->knows($opaque, sub => '42', tier => 'gold', pad => 'x' x 30000);

    is(says('/one', $opaque), '200 one:42 ok', "huge $_") for 1 .. 3;
    is($service->asked - $asked, 3, 'huge: asked each time');
});


test('more than the zone holds', sub {
    my $first = jwt();
    my $asked = metric($gw, 'gw_auth_zone_evictions_total',
                       part => 'identities');

    is(says('/', $first), "200 user-$n ok", 'before');

    for (1 .. 90) {
        my $opaque = 'opaque-' . ++$n . '-0123456789';

        push @secrets, $opaque;
        $service->knows($opaque, sub => "u$n", pad => 'x' x 15000);

        says('/one', $opaque) eq "200 one:u$n ok" or fail($opaque);
    }

    cmp_ok(metric($gw, 'gw_auth_zone_evictions_total', part => 'identities'),
           '>', $asked, 'some had to go');
    is(says('/', $first) =~ s/user-\d+/user/r, '200 user ok', 'after');
    is(says('/', forged($first)), '401 - bad_signature', 'forged');
});


nothing_wrong($gw, @secrets);
done_testing();
