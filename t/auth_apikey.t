# Copyright (C) The nginx gateway modules authors

# API keys in Redis: the record, the places of a key, and a Redis that fails.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use JSON::PP;
use MIME::Base64 qw(decode_base64url);
use Test::More;
use Time::HiRes qw(sleep);

use GWAuthService;
use GWTest;


my $redis = GWTest::Server->new('redis');
my $upstream = GWTest::Server->new('upstream');

my $n = 0;
my @keys;

my $passport = key_file('passport.pem');

my %api_keys = (
    partners => 'header=X-API-Key',
    fresh => 'header=X-API-Key cache=0',
    brief => 'header=X-API-Key cache=1s',
    twin => 'header=X-API-Key prefix=gw:twin: cache=30s',
    places => 'header=X-API-Key cookie=key query=key',
);

my $providers = join '', map { <<"END" } sort keys %api_keys;
    gw_auth_provider $_ {
        api_key  $api_keys{$_};
        subject  prefix=$_:;
    }
END

my $locations = join '', map { <<"END" } sort keys %api_keys;
    location /$_/ {
        gw_auth     $_;
        add_header  X-Subject   \$gw_subject always;
        add_header  X-Reason    \$gw_auth_status always;
        add_header  X-Tier      \$gw_tier always;
        add_header  X-Scope     \$gw_scope always;
        add_header  X-Client    \$gw_client always;
        add_header  X-Region    \$gw_claim_region always;
        add_header  X-Provider  \$gw_auth_provider always;
        proxy_pass  http://127.0.0.1:8081;
    }
END

my $redis_options = 'timeout=10s';

my $gw = auth_gateway(upstream => $upstream, redis => $redis,
                      edit => sub { s/REDIS_OPTIONS/$redis_options/ },
                      http => <<"END", server => <<"END");
    gw_auth_zone         identities:2m;
    gw_auth_redis        redis://127.0.0.1:6379/0 REDIS_OPTIONS;
    gw_auth_revocations  key=gw:revoked;
    gw_passport_key      now $passport;

$providers
END
$locations
    location /forward/ {
        gw_auth          places;
        gw_auth_forward  on;
        proxy_pass       http://127.0.0.1:8081;
    }

    location /passport/ {
        gw_auth      partners;
        gw_passport  audience=orders;
        proxy_pass   http://127.0.0.1:8081;
    }

    location /eu/ {
        gw_auth          partners;
        gw_auth_require  region=eu scope=orders:read;
        proxy_pass       http://127.0.0.1:8081;
    }
END


sub get {
    my ($path, $key, %arg) = @_;

    return $gw->get($path, headers => ['X-API-Key' => $key], %arg);
}


# a new key, and its record unless there are no fields

sub key {
    my @fields = @_;

    my $key = 'key-' . ++$n . '-0123456789abcdef';

    push @keys, $key;
    record('gw:key:', $key, @fields) if @fields;

    return $key;
}


sub record {
    my ($prefix, $key, @fields) = @_;

    $redis->command('HSET', $prefix . sha256_hex($key), @fields);
}


sub asked {
    my ($calls) = $redis->command(qw(INFO commandstats))
                      =~ /^cmdstat_hgetall:calls=(\d+)/m;

    return $calls // 0;
}


sub seen { return ($upstream->requests)[-1] }


sub test {
    my ($title, $code) = @_;

    $redis->command(qw(CONFIG RESETSTAT));

    subtest($title => sub {
        eval { $code->(); 1 } or fail("died: $@");
    });
}


sub sends {
    my ($path, $key) = @_;

    return "GET $path HTTP/1.1\r\nHost: localhost\r\n"
           . "X-API-Key: $key\r\n\r\n";
}


test('a complete record', sub {
    my $key = key(subject => 'acme', tier => 'gold', enabled => 1,
                  scope => 'orders:read orders:write', client => 'app',
                  expires => time + 3600, issued => time, region => 'eu');
    my $r = get('/partners/', $key);

    is(who($r), '200 partners:acme ok');
    is(join('|', @{$r->{headers}}{map { "x-$_" }
                                  qw(tier scope client region provider)}),
       'gold|orders:read orders:write|app|eu|partners', 'who it is');
    is(get('/eu/', $key)->{status}, 200, 'the policy holds');

    $r = get('/passport/', $key);
    is($r->{status}, 200);

    my $jwt = seen()->{headers}{'x-passport'};
    my $claims = decode_json(decode_base64url((split /\./, $jwt)[1]));

    is(join('|', @$claims{qw(sub tier scope cli src)}),
       'partners:acme|gold|orders:read orders:write|app|apikey',
       'the passport');
    is(seen()->{headers}{'x-api-key'}, undef, 'the key goes no further');
    is(asked(), 1, 'asked once');
});

test('a key is made as documented', sub {
    my ($text) = GWTest::slurp('docs/ngx_http_gw_auth_module.md')
        =~ /```\n([^`]*HSET gw:key:[^`]*)```/ or die "not documented\n";
    my $port = $redis->port;

    open(my $fh, '-|', 'bash', '-c', <<"END") or die "bash: $!\n";
redis-cli() { command redis-cli -p $port "\$\@" > /dev/null; }
$text
END
    chomp(my $key = <$fh> // '');

    push @keys, $key;
    is(length $key, 64, 'a key');

    my $r = get('/partners/', $key);

    is(who($r), '200 partners:acme ok', 'it is good');
    is($r->{headers}{'x-tier'}, 'gold', 'its tier');
    is($redis->command('KEYS', "*$key*"), '', 'Redis does not know it');
});


for my $case (
    ['a subject is enough', [subject => 'a'], '200 partners:a ok'],
    ['no record', [], '401 - unknown_api_key'],
    ['disabled', [subject => 'a', enabled => 0], '401 - disabled'],
    ['enabled by a word', [subject => 'a', enabled => 'yes'],
     '401 - bad_claim'],
    ['expired', [subject => 'a', expires => time - 1], '401 - expired'],
    ['expired long ago', [subject => 'a', expires => 0], '401 - expired'],
    ['empty times', [subject => 'a', expires => '', issued => ''],
     '200 partners:a ok'],
    ['expires at a word', [subject => 'a', expires => 'soon'],
     '401 - bad_claim'],
    ['expires at a fraction', [subject => 'a', expires => '1e12'],
     '401 - bad_claim'],
    ['expires before the epoch', [subject => 'a', expires => -1],
     '401 - bad_claim'],
    ['expires after the end', [subject => 'a', expires => '9' x 30],
     '401 - bad_claim'],
    ['issued at a word', [subject => 'a', issued => 'x'],
     '401 - bad_claim'],
    ['no subject', [tier => 'gold'], '401 - bad_claim'],
    ['an empty subject', [subject => ''], '401 - bad_claim'],
    ['a subject with a line feed', [subject => "a\nb"], '401 - bad_claim'],
    ['a subject with a NUL', [subject => '\0'], '401 - bad_claim'],
    ['a subject that is no UTF-8', [subject => "\xff"], '401 - bad_claim'],
    ['a long subject', [subject => 'a' x 2000], '401 - bad_claim'],
    ['a long tier', [subject => 'a', tier => 'x' x 65], '401 - bad_claim'],
    ['a tier with a CR', [subject => 'a', tier => "x\r"],
     '401 - bad_claim'],
    ['JSON in a value', [subject => 'a","tier":"gold'],
     '200 partners:a","tier":"gold ok'],
    ['JSON in a name', [subject => 'a', 'x":1,"tier' => 'gold'],
     '200 partners:a ok'],
    ['many fields', [subject => 'a', map { ("f$_" => 1) } 1 .. 64],
     '401 - bad_claim'],
    ['a large record', [subject => 'a', more => 'x' x 5000],
     '401 - bad_claim'],
) {
    my ($title, $fields, $want) = @$case;

    test($title, sub {
        my $key = key();

        if (@$fields && $fields->[1] eq '\0') {

            # no argument has a NUL

            $redis->command('EVAL', 'return redis.call("HSET", KEYS[1], '
                            . '"subject", "a\0b")', 1,
                            'gw:key:' . sha256_hex($key));

        } elsif (@$fields) {
            record('gw:key:', $key, @$fields);
        }

        for (1 .. 2) {
            my $r = get('/partners/', $key);

            is(who($r), $want);
            is($r->{headers}{'x-tier'}, undef, 'no tier');
        }

        is(asked(), 1, 'asked once');
    });
}

test('something else than a record', sub {
    my $key = key();

    $redis->command('SET', 'gw:key:' . sha256_hex($key), 'acme');

    is_down(get('/partners/', $key), 'a string') for 1 .. 2;
    is(who(get('/partners/', $key)), '503 - redis_unavailable');
    is(asked(), 3, 'asked each time');
    ok($gw->error_log =~ /Redis replied "WRONGTYPE .* to "partners"/,
       'the log says why');
});


test('the policy holds for what is cached, too', sub {
    my $us = key(subject => 'us', region => 'us', scope => 'orders:read');
    my $none = key(subject => 'none', region => 'eu');

    for (1 .. 2) {
        is(get('/partners/', $us)->{status}, 200, 'without');
        is(get('/eu/', $us)->{status}, 403, 'another region');
        is(get('/eu/', $none)->{status}, 403, 'no scope');
    }

    is(asked(), 2, 'asked once for each');
});

test('providers share nothing', sub {
    my $key = key(subject => 'one');

    record('gw:twin:', $key, subject => 'two');

    for (1 .. 2) {
        is(who(get('/partners/', $key)), '200 partners:one ok');
        is(who(get('/twin/', $key)), '200 twin:two ok');
        is(who(get('/brief/', $key)), '200 brief:one ok');
    }

    my $other = key();

    record('gw:twin:', $other, subject => 'two');
    is(who(get('/twin/', $other)), '200 twin:two ok');
    is(who(get('/partners/', $other)), '401 - unknown_api_key');
});

test('places', sub {
    my $key = key(subject => 'acme');

    for my $case (
        [ ['X-API-Key' => $key], '' ],
        [ ['x-api-kEY' => $key], '' ],
        [ [Cookie => "a=b; key=$key; c=d"], '' ],
        [ [], "?a=b&key=$key&c=d" ],
    ) {
        my ($headers, $args) = @$case;

        is(who($gw->get("/places/x$args", headers => $headers)),
           '200 places:acme ok', "@$headers[0 .. $#$headers - 1]$args");
        ok(JSON::PP->new->encode(seen()) !~ /\Q$key\E/, 'no further');

        is($gw->get("/forward/x$args", headers => $headers)->{status}, 200);
        ok(JSON::PP->new->encode(seen()) =~ /\Q$key\E/,
           'further where it should');
    }

    is($gw->get("/places/?key=$key", headers => ['X-API-Key' => $key])
       ->{status}, 400, 'two at a time');
    is($gw->get('/places/', headers => ['X-API-Key' => $key,
                                        'X-API-Key' => $key])->{status},
       400, 'twice the same');
    is(who($gw->get('/places/', token => $key)), '401 - missing',
       'no bearer token');
    is(who($gw->get('/partners/', headers => [Cookie => "key=$key"])),
       '401 - missing', 'not where it may be');
    is(who(get('/partners/', '')), '401 - unknown_api_key', 'empty');
});

test('bytes of a key', sub {
    for my $key ('%n%s%d', 'a b', 'a"b\\', "\xc3\xa4\xff", '*1', '$3 GET',
                 "tab\there", '{}', '*')
    {
        record('gw:key:', $key, subject => 'bytes');
        is(who(get('/fresh/', $key)), '200 fresh:bytes ok',
           $key =~ s/[^ -~]/?/gr);
    }

    for my $key ("\r\nFLUSHALL\r\n", "x\nHSET y", "%00") {
        my $arg = $key =~ s/(\W)/sprintf '%%%02X', ord $1/ger;

        is(who($gw->get("/places/?key=$arg")), '401 - unknown_api_key',
           $arg);
        record('gw:key:', $key, subject => 'bytes');
    }

    ok($redis->command('DBSIZE') > 20, 'nothing was flushed');
});


test('how long an answer holds', sub {
    my ($key, $later) = (key(subject => 'a'), key());

    is(who(get('/fresh/', $key)), '200 fresh:a ok') for 1 .. 3;
    is(asked(), 3, 'cache=0: asked each time');

    is(who(get('/brief/', $key)), '200 brief:a ok', 'enabled');
    is(who(get('/brief/', $later)), '401 - unknown_api_key', 'unknown');

    record('gw:key:', $key, enabled => 0);
    record('gw:key:', $later, subject => 'b');

    wait_for(sub { get('/brief/', $key)->{status} == 401 },
             'disabling to be noticed');
    wait_for(sub { get('/brief/', $later)->{status} == 200 },
             'the new key to be noticed');

    is(who(get('/brief/', $key)), '401 - disabled');
    is(who(get('/brief/', $later)), '200 brief:b ok');
});

test('no longer than the key', sub {
    my ($key, $first);

    # on a machine that is so slow that it has expired there is another try

    for (1 .. 10) {
        my $end = time + 2;

        $key = key(subject => 'a', expires => $end);
        $first = who(get('/partners/', $key));
        last if time < $end;
    }

    is($first, '200 partners:a ok');
    wait_for(sub { get('/partners/', $key)->{status} != 200 },
             'it to expire');
    is(who(get('/partners/', $key)), '401 - expired');
});

test('a key can be revoked', sub {
    my ($key, $other) = (key(subject => 'a'), key(subject => 'a'));

    is(get('/partners/', $_)->{status}, 200, 'valid') for $key, $other;

    $redis->command(qw(XADD gw:revoked *), key => sha256_hex($key),
                    until => time + 600);

    wait_for(sub { get('/partners/', $key)->{status} != 200 },
             'the revocation');
    is(who(get('/partners/', $key)), '401 - revoked', 'revoked');
    is(who(get('/partners/', $other)), '200 partners:a ok', 'another');
    is(who(get('/twin/', $key)), '401 - unknown_api_key');
});


test('Redis hangs, and goes on: those who wait are answered', sub {
    my @all = map { key(subject => "s$_") } 0 .. 4;

    $redis->signal('STOP');

    my @open = map { open_to($gw, sends('/partners/', $all[$_ % 5])) }
               0 .. 24;

    waiting($gw, 25);
    leave(@open[20 .. 24]);
    waiting($gw, 20);
    $redis->signal('CONT');

    is(join(' ', map { who((receive($_, 1))[0]) } @open[0 .. 19]),
       join(' ', map { "200 partners:s" . $_ % 5 . ' ok' } 0 .. 19),
       'each has his own answer');
    is(asked(), 5, 'asked once for each');
});

test('clients that leave', sub {
    my ($worker) = $gw->workers;

    for my $stopped (0, 1) {
        $redis->signal('STOP') if $stopped;

        for my $i (1 .. 40) {
            my $fh = open_to($gw, sends('/fresh/', "nobody-$i"));

            sleep(0.002) if $i % 2;
            leave($fh);
        }

        waiting($gw, 0);
        $redis->signal('CONT') if $stopped;
    }

    is(who(get('/fresh/', key(subject => 'a'))), '200 fresh:a ok');
    is_deeply([ $gw->workers ], [ $worker ], 'the same worker');
});

test('a reload while requests wait', sub {
    my ($old) = $gw->workers;
    my $key = key(subject => 'a');

    $redis->signal('STOP');

    my $fh = open_to($gw, sends('/partners/', $key));

    waiting($gw, 1);
    $gw->reload;
    $redis->signal('CONT');

    is(who((receive($fh, 1))[0]), '200 partners:a ok', 'answered');
    wait_for(sub { !grep { $_ == $old } $gw->workers }, 'the old one to end');
    is(who(get('/partners/', $key)), '200 partners:a ok', 'known after it');
    is(asked(), 1, 'asked once');
});


# from now on its timeout is short

$redis_options = 'timeout=100ms';
$gw->edit(sub { s/REDIS_OPTIONS/$redis_options/ });
$gw->reload(old => 1);

sub works_again {
    my $key = key(subject => 'again');

    wait_for(sub { get('/fresh/', $key)->{status} == 200 }, 'recovery');
    pass('works again');
}

for my $case (
    ['hangs', sub { $redis->signal('STOP') }, sub { $redis->signal('CONT') }],
    ['is away', sub { $redis->stop }, sub { $redis->start }],
    ['was killed', sub { $redis->signal('KILL') }, sub { $redis->start }],
    ['wants a password',
     sub {
         $redis->command(qw(CONFIG SET requirepass secret));
         $redis->command(qw(-a secret --no-auth-warning
                            CLIENT KILL TYPE normal SKIPME yes));
     },
     sub {
         $redis->command(qw(-a secret --no-auth-warning
                            CONFIG SET requirepass), '');
     }],
) {
    my ($title, $fail, $mend) = @$case;

    test("Redis $title", sub {
        my ($known, $brief, $new) = map { key(subject => 'a') } 1 .. 3;

        # a busy machine may need more than the timeout

        wait_for(sub { who(get('/partners/', $known)) eq '200 partners:a ok' },
                 'known');
        wait_for(sub { who(get('/brief/', $brief)) eq '200 brief:a ok' },
                 'known for a second');

        $fail->();

        for (1 .. 3) {
            is_down(get('/partners/', $new), 'a new key');
            is(who(get('/partners/', $known)), '200 partners:a ok',
               'a known one');
        }

        is(who(get('/fresh/', $new)), '503 - redis_unavailable', 'why');

        wait_for(sub { get('/brief/', $brief)->{status} != 200 },
                 'the cache to end');
        is_down(get('/brief/', $brief), 'one that was known');

        $mend->();
        works_again();
    });
}

nothing_wrong($gw, @keys, 'FLUSHALL', 'secret');

done_testing();
