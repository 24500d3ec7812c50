# Copyright (C) The nginx gateway modules authors

# Keys fetched from afar: by whom and how often, who waits for them, which
# answers are believed, and what becomes of the old keys.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use GWAuthService;
use GWTest;


# a provider of each name, with an issuer and a service of its own

my %option = (
    eager => 'refresh=1s cooldown=1s timeout=2s',
    rare => 'refresh=1h cooldown=1h timeout=30s',
    late => 'refresh=1h cooldown=1h timeout=30s',
    mortal => 'refresh=1s stale=0 cooldown=1s timeout=1s',
    asking => 'refresh=1h cooldown=1h timeout=1s',
    other => 'server=keys.test refresh=1h cooldown=1h timeout=30s',
);

my $json = JSON::PP->new->canonical->utf8;

my $upstream = GWTest::Server->new('upstream');
my %service = map { $_ => GWAuthService->new("$_-service") }
              grep { $_ ne 'asking' } sort keys %option;

publish($_, 'rsa') for keys %service;

$service{late}->does(jwks => 'hang');

my $providers = join '', map { <<"END" } sort keys %option;
    gw_auth_provider $_ {
        issuer      https://$_.test;
        audience    gateway;
        algorithms  RS256 ES256 EdDSA;
        jwks        uri=/_$_ $option{$_};
        subject     shared;
    }
END

my $locations = join '', map { <<"END" } sort keys %option;
    location /$_/ {
        gw_auth     $_;
        proxy_pass  http://127.0.0.1:8081;
    }
END

my $fetched = join '', map { $service{$_}->location("/_$_", '/jwks.json') }
                       grep { $_ ne 'other' } sort keys %service;

my $gw = auth_gateway(upstream => $upstream, workers => 2,
                      http => <<"END",
    gw_auth_zone  identities:2m;
$providers
END
    server => $fetched . $locations . <<'END'
    location = /_asking {
        internal;
        proxy_pass  http://127.0.0.1:8081/asked;
    }

    location = /_other {
        return  200 '{"keys":[]}';
    }
    }

    server {
        listen       8080;
        server_name  keys.test;

END
    . $service{other}->location('/_other', '/jwks.json'));


my $n = 0;


# the text of a key set

sub set {
    return $json->encode({ keys => [
        map { @{decode_json(GWTest::slurp(key_file("$_.jwks.json")))->{keys}} }
        @_ ] });
}


sub publish {
    my ($name, @keys) = @_;

    publish_text($name, set(@keys));
}


# in place of the one before, at once

sub publish_text {
    my ($name, $text) = @_;

    my $file = $service{$name}->dir . '/jwks.json';

    rename(GWTest::write_file('jwks.new', $text), $file)
        or die "$file: $!\n";
}


# a token that nobody has seen before

sub newcomer {
    my ($name, $key, %arg) = @_;

    $n++;

    return token(iss => "https://$name.test", sub => "user-$n",
                 -key => $key // 'rsa',
                 -alg => ($key // '') eq 'ec' ? 'ES256' : 'RS256', %arg);
}


sub call {
    my ($name, $key, %arg) = @_;

    return who($gw->get("/$name/", token => newcomer($name, $key, %arg)));
}


sub fetches { return $service{$_[0]}->counts->{jwks} // 0 }


sub keys_metric {
    my ($what, $name) = @_;

    return metric($gw, "gw_auth_keys_$what", provider => $name);
}


sub fails_again {
    my ($name) = @_;

    my $failed = keys_metric('failed_total', $name);

    wait_for(sub { keys_metric('failed_total', $name) > $failed },
             "\"$name\" to fail");
}


sub test {
    my ($title, $code) = @_;

    subtest($title => sub {
        eval { $code->(); 1 } or fail("died: $@");
    });
}


test('requests wait for the first keys, also through a reload', sub {
    my @left = map { send_request($gw->port, 'GET', '/late/',
                                  token => newcomer('late')) } 1 .. 3;
    my @open = map { send_request($gw->port, 'GET', '/late/',
                                  token => newcomer('late')) } 1 .. 6;

    waiting($gw, 9);
    leave(@left);
    waiting($gw, 6);
    is(fetches('late'), 1, 'one fetch');

    $gw->reload;
    $service{late}->does(jwks => 'ok');

    is(join(' ', map { read_response($_)->{status} } @open),
       join(' ', (200) x 6), 'answered');
    like(call('late'), qr/\A200 user-\d+ ok\z/, 'and the next one');
    cmp_ok(fetches('late'), '<=', 2, 'nobody else fetched');
});


test('fetched once for all workers, and by a server named', sub {
    for my $name ('rare', 'other') {
        like(call($name), qr/\A200 user-\d+ ok\z/, $name) for 1 .. 10;
        is(fetches($name), 1, 'once');
    }
});


test('what the key server is asked', sub {
    my $r = $gw->get('/asking/', token => newcomer('asking'),
                     headers => [ Cookie => 'a=b', 'X-Secret' => 1 ]);

    is_down($r, 'without keys');
    is(who($r), '503 - keys_unavailable');

    my ($asked) = grep { $_->{uri} eq '/asked' } $upstream->requests;
    my $h = $asked->{headers};

    is($asked->{method}, 'GET', 'method');
    is($h->{accept}, 'application/jwk-set+json, application/json', 'accept');
    is_deeply([ sort grep { !/\A(?:accept|connection|host)\z/ } keys %$h ],
              [], 'nothing of a client');
});


# each time the keys are due an answer that is none

my @modes = qw(400 404 500 503 301 201 204 empty html truncated partial close
               garbage huge gzip stall);

my %texts = (
    'no keys' => '{"keys":[]}',
    'keys of no use' => '{"keys":[{"kty":"oct","k":"AAAA"}]}',
    'a private key' => GWTest::slurp(key_file('rsa.pem')),
    'two sets' => '{"keys":[]}{"keys":[]}',
    'a point that is not on the curve' => $json->encode({ keys => [{
        kty => 'EC', crv => 'P-256', kid => 'ec', x => 'A' x 43,
        y => 'A' x 43 }] }),
);

test('an answer that is no key set changes nothing', sub {
    wait_for(sub { keys_metric('generation', 'eager') }, 'the first keys');

    my $generation = keys_metric('generation', 'eager');

    for my $mode (@modes) {
        $service{eager}->does(jwks => $mode);
        fails_again('eager');
        like(call('eager'), qr/\A200 user-\d+ ok\z/, "answer $mode");
    }

    $service{eager}->does(jwks => 'ok');

    for my $what (sort keys %texts) {
        publish_text('eager', $texts{$what});
        fails_again('eager');
        like(call('eager'), qr/\A200 user-\d+ ok\z/, $what);
    }

    # half of it would be a good set

    my $half = set('ec');

    $service{eager}->does(jwks => 'partial');
    publish_text('eager', $half . ' ' x length $half);
    fails_again('eager') for 1 .. 2;
    like(call('eager'), qr/\A200 user-\d+ ok\z/, 'the first half of a text');

    is(keys_metric('generation', 'eager'), $generation, 'generation');
    like($gw->error_log, qr/\[error\].* gw keys: "eager" has no new keys: /,
         'logged');

    publish('eager', 'rsa');
    $service{eager}->does(jwks => 'ok');

    my $good = keys_metric('fetched_total', 'eager');

    wait_for(sub { keys_metric('fetched_total', 'eager') >= $good + 3 },
             'good answers');
    is(keys_metric('generation', 'eager'), $generation, 'the same keys');
});


test('a key that is no longer published is forgotten', sub {
    my $token = newcomer('eager');

    is($gw->get('/eager/', token => $token)->{status}, 200, 'good');

    publish('eager', 'ec');

    wait_for(sub { $gw->get('/eager/', token => $token)->{status} == 401 },
             'the key to be forgotten');

    like(call('eager', 'ec'), qr/\A200 user-\d+ ok\z/, 'the new one');
    is(call('eager', 'rsa'), '401 - unknown_key', 'another token');
});


test('an unknown key is looked for once in "cooldown"', sub {
    my $before = fetches('rare');
    my $generation = keys_metric('generation', 'rare');

    publish('rare', 'rsa', 'ec');
    $service{rare}->does(jwks => 'hang');

    my @open = map { send_request($gw->port, 'GET', '/rare/',
                                  token => newcomer('rare', 'ec')) } 1 .. 6;

    waiting($gw, 6);
    like(call('rare'), qr/\A200 user-\d+ ok\z/, 'others do not wait');

    $service{rare}->does(jwks => 'ok');

    is(join(' ', map { read_response($_)->{status} } @open),
       join(' ', (200) x 6), 'found');
    is(fetches('rare'), $before + 1, 'fetched once');
    cmp_ok(keys_metric('generation', 'rare'), '>', $generation, 'generation');

    publish('rare', 'rsa', 'ec', 'forged');

    is(call('rare', 'forged'), '401 - unknown_key', 'not again') for 1 .. 20;
    is(call('rare', 'forged', -kid => 'rsa'), '401 - bad_signature',
       'a known one is not unknown');
    like(call('rare'), qr/\A200 user-\d+ ok\z/, 'the old key');
    is(fetches('rare'), $before + 1, 'no other fetch');
});


test('too old keys are no keys', sub {
    wait_for(sub { call('mortal') =~ /\A200/ }, 'keys');

    $service{mortal}->does(jwks => 500);
    wait_for(sub { call('mortal') eq '503 - keys_unavailable' },
             'the keys to be too old');

    is_down($gw->get('/mortal/', token => newcomer('mortal')), 'without');

    $service{mortal}->does(jwks => 'ok');
    wait_for(sub { call('mortal') =~ /\A200/ }, 'keys again');

    pass('keys again');
});


test('keys survive a reload', sub {
    my $before = fetches('rare');
    my $generation = keys_metric('generation', 'rare');

    $gw->reload(old => 1);

    like(call('rare'), qr/\A200 user-\d+ ok\z/, 'good');
    is(fetches('rare'), $before, 'not fetched');
    is(keys_metric('generation', 'rare'), $generation, 'generation');
});


nothing_wrong($gw);


test('workers that are killed while they fetch', sub {
    my $good = keys_metric('fetched_total', 'eager');
    my $before = fetches('eager');

    $service{eager}->does(jwks => 'hang');
    wait_for(sub { fetches('eager') > $before }, 'a fetch');

    my @old = $gw->workers;

    kill('KILL', @old);
    wait_for(sub { !grep { GWTest::Gateway::is_alive($_) } @old },
             'workers to end');
    $service{eager}->does(jwks => 'ok');

    wait_for(sub { (keys_metric('fetched_total', 'eager') // 0) > $good },
             'another one to fetch');

    like(call('eager', 'ec'), qr/\A200 user-\d+ ok\z/, 'good');
});


$gw->stop;

is(join("\n", grep { /open socket|Sanitizer: |runtime error: / }
              split /\n/, $gw->error_log), '', 'nothing is left');

done_testing();
