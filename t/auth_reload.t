# Copyright (C) The nginx gateway modules authors

# Reloads, and workers that die: what was in the identity zone stays there if
# nothing has changed, and is not found if something has.

use strict;
use warnings;

use JSON::PP;
use MIME::Base64 qw(decode_base64url);
use Test::More;
use Time::HiRes qw(sleep);

use GWAuthService;
use GWE2E;
use GWTest;


my $json = JSON::PP->new->canonical->utf8;
my $upstream = GWTest::Server->new('upstream');
my ($n, @secrets) = (0);

my @all = @{key_set('jwks')};
my $keys = write_keys(@all);

my $http = <<"END";
    gw_auth_zone     identities:1m;
    gw_passport_key  old @{[ key_file('passport-old.pem') ]};

    gw_auth_provider accounts {
        issuer      https://accounts.example.com;
        audience    gateway other;
        algorithms  RS256 ES256;
        jwks        file=$keys;
        leeway      5m;
        claims      tier=plan scope=scp;
        subject     shared;
    }

    gw_auth_provider partners {
        issuer      https://partners.example.com;
        audience    gateway;
        jwks        file=$keys;
        subject     prefix=p:;
    }
END

my $server = <<'END';
    location / {
        gw_auth      accounts partners;
        gw_passport  audience=orders;
        proxy_pass   http://127.0.0.1:8081;
    }
    location = /jwks {
        gw_passport_jwks;
    }
END

my $gw = auth_gateway(upstream => $upstream, http => $http,
                      server => $server, workers => 2);


sub key_set {
    my ($name) = @_;

    return $json->decode(GWTest::slurp(key_file("$name.jwks.json")
                                       =~ s/jwks\.jwks/jwks/r))->{keys};
}


# another file under the same name

sub write_keys {
    my $path = GWTest::write_file('reload-keys.new',
                                  $json->encode({ keys => \@_ }));
    my $to = $path =~ s/new\z/json/r;

    rename($path, $to) or die "$to: $!\n";
    chmod(0644, $to);

    return $to;
}


# a token nobody has seen before

sub jwt {
    my $token = token(sub => 'user-' . ++$n, plan => 'gold', scp => 'read',
                      iat => time, @_);

    push @secrets, (split /\./, $token)[1, 2];

    return $token;
}


sub says {
    my ($token) = @_;

    return who($gw->get('/', token => $token));
}


# with old => 1 all requests from then on are those of the new configuration

sub reload {
    my ($edit) = @_;

    $gw->edit($edit // sub { });
    $gw->reload(old => 1);
}


sub hits {
    my ($part) = @_;

    return map { metric($gw, "gw_auth_zone_${_}_total",
                        part => $part // 'identities') } qw(hits misses);
}


sub passport { return $_[0]->{json}{headers}{'x-passport'} // '' }


sub part {
    my ($token, $i) = @_;

    return $json->decode(decode_base64url((split /\./, $token)[$i]));
}


# known before the reload, by each worker if they did not share: "outcome" is
# what becomes of it

sub changes {
    my ($title, $token, $edit, $outcome, $back) = @_;

    my $name = "user-$n";
    my $first = says($token);

    is(says($token), $first, "$title: a hit") for 1 .. 4;
    like($first, qr/\A200 \S+ ok\z/, "$title: good before");

    reload($edit);
    is(says($token), $outcome =~ s/NAME/$name/r, "$title: $_ after")
        for 1 .. 3;

    $back->() if $back;
    reload();
    is(says($token), $first, "$title: and back");
}


sub test {
    my ($title, $code) = @_;

    subtest($title => sub {
        eval { $code->(); 1 } or fail("died: $@");
    });
}


test('nothing changes', sub {
    my $token = jwt();
    my ($first) = $gw->get('/', token => $token);
    my @before = hits();
    my %old = map { $_ => 1 } $gw->workers;

    is(who($first), "200 user-$n ok", 'before');

    reload();

    my $r = $gw->get('/', token => $token);
    my @after = hits();

    is(who($r), "200 user-$n ok", 'after');
    ok(!$old{$r->{headers}{'x-pid'}}, 'a new worker');
    is($after[0] - $before[0], 1, 'a hit');
    is($after[1] - $before[1], 0, 'no miss');
    is(passport($r), passport($first), 'the passport, too');
});


test('another provider changes', sub {
    my $token = jwt();

    is(says($token), "200 user-$n ok", 'before');

    my @before = hits();

    reload(sub { s/prefix=p:/prefix=q:/ or die });
    is(says($token), "200 user-$n ok", 'after');
    is((hits())[0] - $before[0], 1, 'a hit');
    reload();
});


test('what was verified by other rules is verified again', sub {
    my $partner = jwt(iss => 'https://partners.example.com');

    changes('an issuer is removed', $partner, sub {
        s/gw_auth_provider partners \{.*?\}//s or die;
        s/accounts partners/accounts/ or die;
    }, '401 - wrong_issuer');

    changes('an issuer is not listed', $partner, sub {
        s/accounts partners/accounts/ or die;
    }, '401 - wrong_issuer');

    changes('another issuer of that name', $partner, sub {
        s/partners\.example/others.example/ or die;
    }, '401 - wrong_issuer');

    changes('another prefix', $partner, sub { s/prefix=p:/prefix=q:/ or die },
            '200 q:NAME ok');

    changes('an algorithm is removed', jwt(-key => 'ec', -alg => 'ES256'),
            sub { s/RS256 ES256/RS256/ or die }, '401 - bad_algorithm');

    changes('another audience', jwt(aud => 'other'),
            sub { s/gateway other/gateway/ or die }, '401 - wrong_audience');

    changes('less leeway', jwt(-exp => '-20'), sub { s/5m;/0s;/ or die },
            '401 - expired');

    changes('less leeway for the begin', jwt(nbf => int(time) + 250),
            sub { s/5m;/0s;/ or die }, '401 - not_yet_valid');

    my $restore = sub { write_keys(@all) };

    changes('a key is removed from the file', jwt(-key => 'ec',
                                                  -alg => 'ES256'), sub {
        write_keys(grep { $_->{kid} ne 'ec' } @all);
    }, '401 - unknown_key', $restore);

    changes('another key under the same name', jwt(), sub {
        my ($forged) = @{key_set('forged')};

        write_keys(grep({ $_->{kid} ne 'rsa' } @all),
                   { %$forged, kid => 'rsa' });
    }, '401 - bad_signature', $restore);

    changes('auth is switched on', jwt(), sub {
        s/accounts partners;/accounts partners; gw_auth_require scope=admin;/
            or die;
    }, '403 NAME insufficient_scope');
});


test('claims get other names', sub {
    my $token = jwt(tier => 'silver', scope => 'write');
    my $say = sub {
        my $r = $gw->get('/', token => $token);
        my $p = part(passport($r), 1);

        return "$r->{headers}{'x-tier'} $r->{headers}{'x-scope'} "
               . "$p->{tier} $p->{scope}";
    };

    is($say->(), 'gold read gold read', "$_ before") for 1, 2;
    reload(sub { s/claims .*;// or die });
    is($say->(), 'silver write silver write', "$_ after") for 1, 2;
    reload();
    is($say->(), 'gold read gold read', 'and back');
});


test('the passport of a location changes', sub {
    my $token = jwt();
    my $say = sub {
        my $p = part(passport($gw->get('/', token => $token)), 1);

        return "$p->{iss} $p->{aud} " . ($p->{exp} - $p->{iat})
               . ' ' . ($p->{note} // '-');
    };

    is($say->(), 'gateway orders 60 -', "$_ before") for 1, 2;

    for (['audience=orders', 'audience=billing', 'gateway billing 60 -'],
         ['audience=orders', 'audience=orders ttl=30s', 'gateway orders 30 -'],
         ['audience=orders', 'audience=orders issuer=x', 'x orders 60 -'],
         ['audience=orders', 'audience=orders; gw_passport_claim note a',
          'gateway orders 60 a'])
    {
        my ($from, $to, $want) = @$_;

        reload(sub { s/$from/$to/ or die });
        is($say->(), $want, $to);
    }

    reload();
});


test('the zone gets another size, and goes', sub {
    my $token = jwt();
    my $size = sub {
        return metric($gw, 'gw_auth_zone_size_bytes', part => 'identities');
    };

    is(says($token), "200 user-$n ok", 'before');

    my $before = $size->();

    reload(sub { s/:1m/:2m/ or die });
    is(says($token), "200 user-$n ok", 'larger');
    cmp_ok($size->(), '>', 1.5 * $before, 'it is');
    is((hits())[0], 0, 'empty');
    is(says($token), "200 user-$n ok", 'larger: again');
    is((hits())[0], 1, 'a hit');

    reload(sub { s/gw_auth_zone .*;// or die });
    is(says($token), "200 user-$n ok", "without it, $_") for 1, 2;
    is($size->(), undef, 'no zone');

    reload(sub { s/identities:1m/others:1m/ or die });
    is(says($token), "200 user-$n ok", "another name, $_") for 1, 2;

    reload();
    is($size->(), $before, 'as before');
    is(says($token), "200 user-$n ok", 'and back');
});


test('a configuration that is wrong changes nothing', sub {
    my $token = jwt();

    is(says($token), "200 user-$n ok", 'before');

    my @before = hits();

    write_keys();
    kill('HUP', $gw->master);
    wait_for(sub { $gw->error_log =~ /\[emerg\].*accounts/ }, 'the complaint');
    is(says($token), "200 user-$n ok", 'after');
    is((hits())[0] - $before[0], 1, 'a hit');
    write_keys(@all);
    reload();
});


test('a passport key is rotated under load', sub {
    my $new = "gw_passport_key  new @{[ key_file('passport.pem') ]};\n";
    my @tokens = map { jwt() } 1 .. 3;
    my (%kids, %passports, $known);
    my $bad = 0;

    my @steps = (
        # publish; verifiers have read it
        sub { s/(gw_passport_key .*\n)/$1$new/ or die },
        # sign
        sub { s/(gw_passport_key)/$new$1/ or die },
        # remove
        sub { s/gw_passport_key .*\n/$new/ or die },
    );

    for my $step (0 .. 3) {
        my ($asked, $begun) = (0, 0);
        my %old = map { $_ => 1 } $gw->workers;

        my @done = load($gw, 4, sub {
            my $over = !grep { GWTest::Gateway::is_alive($_) } keys %old;

            # some before the signal, some until all old workers are gone

            return if $asked >= 20 && ($step == 0 || $begun && $over);
            return ['/', token => $tokens[$asked++ % 3]];

        }, sub {
            return if $step == 0 || $begun || @_ < 10;

            $begun = 1;
            $gw->edit($steps[$step - 1]);
            kill('HUP', $gw->master);
        });

        $bad += grep { $_->{status} != 200 } @done;

        # no later step looks for workers that are still to come

        wait_for(sub { $gw->workers == 2
                       && !grep { $old{$_} } $gw->workers }, 'new workers')
            if $step;

        my @found = map { passport({ json => $json->decode($_->{body}) }) }
                    grep { $_->{status} == 200 } @done;

        $passports{$_} = 1 for @found;

        my $last = passport($gw->get('/', token => $tokens[0]));

        $kids{$step} = part($last, 0)->{kid};
        $known = $gw->get('/jwks')->{body} if $step == 1;
    }

    is($bad, 0, 'each request was answered');
    is(join(' ', map { $kids{$_} } 0 .. 3), 'old old new new', 'who signed');
    is(join(' ', map { $_->{kid} } @{$json->decode($known)->{keys}}),
       'old new', 'published first');

    my @refused = grep { !verify_passport($_, $known) } keys %passports;

    cmp_ok(scalar keys %passports, '>=', 6, 'several passports');
    is(scalar @refused, 0, 'a verifier that knows both refused none');

    my ($one) = map { $_->{kid} }
                @{$json->decode($gw->get('/jwks')->{body})->{keys}};

    is($one, 'new', 'the old one is gone');
    reload();
});


test('another key under the same name signs anew', sub {
    my $token = jwt();
    my $first = passport($gw->get('/', token => $token));

    is(passport($gw->get('/', token => $token)), $first, 'kept');

    reload(sub { s/passport-old\.pem/passport.pem/ or die });

    my $second = passport($gw->get('/', token => $token));

    isnt($second, $first, 'signed again');
    is(part($second, 0)->{kid}, 'old', 'the same name');
    ok(verify_passport($second, $gw->get('/jwks')->{body}), 'it verifies');

    reload();
    is(passport($gw->get('/', token => $token)), $first, 'and back');
});


my @wrong = $gw->trouble;

is(join("\n", grep { !/\[emerg\].*"accounts"/ } @wrong), '',
   'nothing went wrong until now');


test('workers are killed under load', sub {
    my @tokens = map { jwt() } 1 .. 8;
    my @names = map { 'user-' . ($n - 8 + $_) } 1 .. 8;
    my ($asked, $killed) = (0, 0);

    says($_) for @tokens;

    my @done = load($gw, 8, sub {
        return if $killed >= 8 && $asked > 400;
        return ['/', token => $tokens[$asked++ % 8]];

    }, sub {
        return if $killed >= 8 || @_ < 30 * ($killed + 1);

        my @workers = $gw->workers;

        if (@workers == 2) {
            kill('KILL', $workers[$killed % 2]);
            $killed++;
        }
    });

    wait_for(sub { $gw->workers == 2 }, 'workers');

    my %outcome;

    $outcome{$_->{status}}++ for @done;

    is(join(' ', sort keys %outcome) =~ s/\A0 //r, '200',
       'answered, or the connection was closed');
    cmp_ok($outcome{0} // 0, '<=', 8 * 8, 'few were closed');
    is($killed, 8, 'all were killed');

    is(says($tokens[$_]), "200 $names[$_] ok", "after: $_") for 0 .. 7;

    my @before = hits();

    is(says($tokens[$_]), "200 $names[$_] ok", "after: $_ again") for 0 .. 7;

    my @after = hits();

    is($after[0] - $before[0], 8, 'hits');
    is($after[1] - $before[1], 0, 'no misses');
});


is(join(' ', grep { index($gw->error_log . $gw->access_log, $_) >= 0 }
             @secrets), '', 'no credential in the logs');
unlike($gw->error_log, qr/Sanitizer: |runtime error: |\[crit\]/,
       'nothing went wrong');
done_testing();
