# Copyright (C) The nginx gateway modules authors

# How long a passport is kept, and that it never serves as a credential.

use strict;
use warnings;

use JSON::PP;
use MIME::Base64 qw(decode_base64url encode_base64url);
use Test::More;
use Time::HiRes qw(sleep time);

use GWAuthService;
use GWTest;


my $json = JSON::PP->new->canonical->utf8;
my $upstream = GWTest::Server->new('upstream');
my $n = 0;

my $secret = 'a secret of the gateway and one upstream';
my $file = GWTest::write_file('passport.secret', "$secret\n");
my $keys = GWTest::write_file('passport.jwks.json', $json->encode({ keys => [
    map { { %{$_->{key}}, kid => $_->{kid} } }
        { kid => 'new', key => $json->decode(GWTest::slurp(
            key_file('passport.jwks.json')))->{keys}[0] },
        { kid => 'shared', key => { kty => 'oct', alg => 'HS256',
                                    k => encode_base64url($secret) } },
] }));

my $server = <<'END';
    location / {
        gw_auth     accounts;
        proxy_pass  http://127.0.0.1:8081;
    }
    location /short {
        gw_auth      accounts;
        gw_passport  audience=orders ttl=6s;
        proxy_pass   http://127.0.0.1:8081;
    }
    location /long {
        gw_auth      accounts;
        gw_passport  audience=orders ttl=2s issuer=edge;
        proxy_pass   http://127.0.0.1:8081;
    }
    location /orders {
        gw_auth      accounts gateway;
        gw_passport  audience=orders ttl=5m;
        proxy_pass   http://127.0.0.1:8081;
    }
    location /optional {
        gw_auth     accounts gateway optional;
        proxy_pass  http://127.0.0.1:8081;
    }
END


sub gateway {
    my ($name, $key) = @_;

    return auth_gateway(upstream => $upstream, name => $name,
                        server => $server, http => <<"END");
    gw_auth_zone     identities:1m;
    gw_passport_key  $key;

    gw_auth_provider accounts {
        issuer      https://accounts.example.com;
        audience    gateway;
        jwks        file=@{[ key_file('jwks.json') ]};
        leeway      0s;
        subject     shared;
    }

    gw_auth_provider gateway {
        issuer      gateway;
        audience    orders;
        algorithms  ES256 HS256;
        jwks        file=$keys;
        credential  bearer header=X-Token cookie=session query=token;
        subject     shared;
    }
END
}


sub claims {
    my ($token) = @_;

    return $json->decode(decode_base64url((split /\./, $token)[1]));
}


# what the upstream got now, and when it was asked for at the earliest

sub passport {
    my ($gw, $path, $token) = @_;

    my $from = int time;
    my $r = $gw->get($path, token => $token);
    my $jwt = $r->{json}{headers}{'x-passport'} // '';

    return { %{$jwt ? claims($jwt) : {}}, from => $from, jwt => $jwt,
             who => who($r) };
}


sub test {
    my ($title, $code) = @_;

    subtest($title => sub {
        eval { $code->(); 1 } or fail("died: $@");
    });
}


my $gw = gateway('life', "new @{[ key_file('passport.pem') ]}");


test('signed anew at half of its life', sub {
    my $token = token(sub => 'alice');
    my (%seen, @order);
    my ($asked, $late, $before) = (0, 0, time);

    wait_for(sub {
        my $p = passport($gw, '/short', $token);

        # it was signed in this time

        $p->{within} = time - $before;
        $before = time;

        $asked++;
        push @order, $p if !$seen{$p->{jti} // '-'}++;
        $late++ if ($p->{exp} // 0) - $p->{from} < 3;

        return @order >= 3;
    }, 'three of them');

    is($late, 0, 'good for half of its life, at least');
    cmp_ok($asked, '>', @order, 'kept in between');

    for my $i (0 .. 1) {
        my ($old, $new) = @order[$i, $i + 1];

        is($old->{exp} - $old->{iat}, 6, "$i: its life");
        cmp_ok($new->{iat} - $old->{iat}, '>=', 3, "$i: not before");
        cmp_ok($new->{iat}, '<', $old->{exp}, "$i: the old one is still good")
            if $new->{within} < 2;
        cmp_ok($new->{exp}, '>', $old->{exp}, "$i: ends later");
    }

    is(metric($gw, 'gw_auth_passports_signed_total'), scalar @order,
       'as many were signed');
});


test('not beyond the end of the credential', sub {
    my ($end, %seen, $refused);
    my $bad = 0;

    # on a machine that stops for a while there is another try

    for (1 .. 10) {
        my $token = token(sub => 'alice', -exp => '+5');
        my ($before, $longest) = (time, 0);

        $end = claims($token)->{exp};
        %seen = ();

        wait_for(sub {
            my $p = passport($gw, '/long', $token);
            my $now = time;

            $longest = $now - $before if $longest < $now - $before;
            $before = $now;

            $refused = $p->{who};
            return 1 if !$p->{jwt};

            $seen{$p->{jti}} = $p;
            $bad++ if $p->{exp} > $end || $p->{exp} <= $p->{from};

            return 0;
        }, 'the end');

        last if $longest < 0.8;
    }

    is($refused, '401 - expired', 'then it is refused');
    is($bad, 0, 'none was too long, or over');
    is((sort { $b <=> $a } map { $_->{exp} } values %seen)[0], $end,
       'the last one ends with it');

    # once it can't end later, it is not signed again

    is((grep { $_->{exp} == $end } values %seen), 1, 'one for the rest');
});


# one whose issuer, audience and key are those of a provider

sub no_credential {
    my ($gw, $alg, $kid, @token) = @_;

    my $p = passport($gw, '/orders', token(sub => 'alice'));
    my $jwt = $p->{jwt};

    is($p->{who}, '200 alice ok', 'a passport');
    ok(verify_passport($jwt, GWTest::slurp($keys), algorithms => [$alg]),
       'it is one');

    # the provider would trust the key

    my $twin = token(iss => 'gateway', aud => 'orders', sub => 'bob',
                     -alg => $alg, -kid => $kid, @token);

    is(who($gw->get('/orders', token => $twin)), '200 bob ok',
       'a token of the same key');

    my @ways = (['/orders', token => $jwt], ['/optional', token => $jwt],
                ['/orders', headers => ['X-Token' => $jwt]],
                ['/orders', headers => [Cookie => "session=$jwt"]],
                ["/orders?token=$jwt"]);

    for my $round (1, 2) {
        for my $way (@ways) {
            my ($path, $where) = @$way;

            is(who($gw->get(@$way)), '401 - bad_type',
               ($where // 'query') . " $path $round" =~ s/\?.*//r);
        }
    }

    is(who($gw->get('/', token => $jwt)), '401 - bad_type',
       'where the provider is not listed');
    is(who($gw->get('/orders', headers => ['X-Passport' => $jwt])),
       '401 - missing', 'as what it is');

    my @parts = split /\./, $jwt;
    my $typ = encode_base64url($json->encode({ alg => $alg, typ => 'JWT',
                                               kid => $kid }));

    is(who($gw->get('/orders', token => "$typ.$parts[1].$parts[2]")),
       '401 - bad_signature', 'with another type');

    nothing_wrong($gw, @parts[1, 2]);
}


test('never a credential: ES256', sub {
    no_credential($gw, 'ES256', 'new', -key => key_file('passport.pem'));
});


test('never a credential: HS256', sub {
    no_credential(gateway('life-hs', "shared $file alg=HS256"), 'HS256',
                  'shared',
                  -key => GWTest::write_file('passport.raw', $secret));
});


done_testing();
