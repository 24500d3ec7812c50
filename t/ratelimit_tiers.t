# Copyright (C) The nginx gateway modules authors

# gw_ratelimit_tiers: tiers in a Redis hash, read without a reload, and what
# becomes of them whatever is in the hash, and whatever becomes of Redis and of
# workers.

use strict;
use warnings;

use Test::More;

use GwRatelimit;


my $key = 'gw:tiers';
my $last = 0;
my $redis = redis_server('tiers');


sub tiers_gateway {
    my ($http, %arg) = @_;

    my $refresh = delete $arg{refresh} // '100ms';
    my $port = delete $arg{port} // $redis->port;
    my $timeout = delete $arg{timeout} // '10s';

    return gateway(<<"END", <<'END_OF_LOCATIONS', %arg);
    gw_ratelimit_redis  redis://127.0.0.1:$port timeout=$timeout;
    gw_ratelimit_tiers  key=$key refresh=$refresh;
    $http
END
        location = /t.txt {
            gw_ratelimit  calls key=$arg_k tier=$arg_t;
        }

        location = /look {
            gw_ratelimit  calls key=$arg_k tier=$arg_t cost=0;
            alias  html/t.txt;
        }

        location = /deny {
            gw_ratelimit  calls key=$arg_k tier=$arg_t cost=0 error=deny;
            alias  html/t.txt;
        }

        location = /local {
            gw_ratelimit  calls key=$arg_k tier=$arg_t cost=0 error=local;
            alias  html/t.txt;
        }

        location = /metrics {
            gw_metrics;
        }

        location = /other.txt {
            alias  html/t.txt;
        }
END_OF_LOCATIONS
}


sub test {
    my ($title, $code) = @_;

    subtest($title => sub {
        eval { $code->(); 1 } or fail("died: $@");
    });
}


sub command {
    return ask($redis->port, @_);
}


sub start_redis {
    $redis->start;

    # the connection of old

    eval { command('PING') };
}


# how often the hash was read

sub reads {
    return command(qw(INFO commandstats)) =~ /^cmdstat_hgetall:calls=(\d+)/m
           ? $1 : 0;
}


# the hash, as a whole

sub put {
    command('MULTI');
    command('DEL', $key);
    command('HSET', $key, @_) if @_;
    command('EXEC');
}


# the numbers of a tier, as a client sees them who spends nothing

sub numbers {
    my ($gw, $tier) = @_;

    $last++;

    my $policy = header(http("/look?k=look$last&t=$tier", $gw->port),
                        'RateLimit-Policy') // 'none';

    return $policy =~ s/-month";q=\d+;w=\K\d+/MONTH/r;
}


sub becomes {
    my ($gw, $tier, $wanted) = @_;

    wait_for(sub { numbers($gw, $tier) eq $wanted }, "$tier: $wanted");
    pass("$tier: $wanted");
}


# all of several requests, to whichever workers

sub stays {
    my ($gw, $tier, $wanted) = @_;

    my %seen = map { numbers($gw, $tier) => 1 } 1 .. 10;

    is(join(' ', sort keys %seen), $wanted, "$tier is $wanted");
}


sub metric {
    my ($gw, $name) = @_;

    my ($value) = http('/metrics', $gw->port)
        =~ /^gw_ratelimit_tiers$name (\S+)$/m or die "no metric \"$name\"\n";

    return $value;
}


# what begins after this call has ended twice when it returns

sub again {
    my ($gw, $name) = @_;

    my $n = metric($gw, $name);

    wait_for(sub { metric($gw, $name) >= $n + 2 }, $name);
}


sub nothing_wrong {
    my $gw = shift;

    # 9 is what the test sends

    my @lines = grep { /\[alert\]|\[crit\]|exited on signal|Sanitizer/
                       && !/ exited on signal 9$/ }
                split /\n/, $gw->error_log;

    is("@lines", '', 'nothing went wrong');
}


put(gold => 'rate=5r/s burst=7');

my $gw = tiers_gateway(<<'END', workers => 3);
    gw_ratelimit_tier  silver rate=2r/s burst=2;
    gw_ratelimit_tier  default rate=1r/s burst=1;
END


test('a change takes effect without a reload', sub {
    becomes($gw, gold => '"calls";q=7;w=2');

    put(gold => "burst=30   rate=10r/s\tquota=9/month quota=5/day");
    becomes($gw, gold => '"calls";q=30;w=3, "calls-day";q=5;w=86400, '
                         . '"calls-month";q=9;w=MONTH');

    put(gold => 'rate=10r/s burst=40');
    becomes($gw, gold => '"calls";q=40;w=4');
    stays($gw, gold => '"calls";q=40;w=4');

    is(metric($gw, ''), 1, 'tiers');
    is(metric($gw, '_read'), 1, 'read');
    is(metric($gw, '_changes_total'), 3, 'changes');
});


test('what does not change is no change', sub {
    put(gold => 'burst=40 rate=600r/m');
    again($gw, '_reads_total');

    is(metric($gw, '_changes_total'), 3, 'changes');
});


test('Redis wins over the configuration', sub {
    stays($gw, silver => '"calls";q=2;w=1');

    put(gold => 'rate=1r/s burst=5', silver => 'rate=1r/s burst=6');
    becomes($gw, silver => '"calls";q=6;w=6');
    stays($gw, gold => '"calls";q=5;w=5');

    put(gold => 'rate=1r/s burst=5');
    becomes($gw, silver => '"calls";q=2;w=1');
});


test('an unknown tier is the default, of Redis or of the configuration', sub {
    stays($gw, nobody => '"calls";q=1;w=1');

    put(gold => 'rate=1r/s burst=5', default => 'rate=1r/s burst=3');
    becomes($gw, nobody => '"calls";q=3;w=3');
});


test('an unknown tier without a default is refused', sub {
    put(gold => 'rate=1r/s burst=5');

    my $gw = tiers_gateway('');

    becomes($gw, gold => '"calls";q=5;w=5');
    is(says('/t.txt?k=a&t=nobody', $gw->port), '403 unknown_tier', 'unknown');
    is(says('/t.txt?k=a&t=', $gw->port), '403 unknown_tier', 'empty');
    is(says('/t.txt?k=a&t=gol', $gw->port), '403 unknown_tier', 'half of it');
    is(says('/t.txt?k=a&t=gold%00', $gw->port), '403 unknown_tier', 'more');

    put(gold => 'rate=1r/s burst=5', default => 'rate=1r/s burst=3');
    wait_for(sub { says('/t.txt?k=b&t=nobody', $gw->port) eq '200 passed' },
             'a default');

    nothing_wrong($gw);
    $gw->stop;
});


test('better numbers free a caller at once, worse ones bind at once', sub {
    put(gold => 'rate=1r/d burst=3');
    becomes($gw, gold => '"calls";q=3;w=259200');

    is(answers(4, '/t.txt?k=move&t=gold', $gw->port),
       join(', ', ('200 passed') x 3, '429 limited'), 'used up');

    put(gold => 'rate=1000r/s burst=1000');
    becomes($gw, gold => '"calls";q=1000;w=1');

    # from now on by the new rate

    wait_for(sub { says('/t.txt?k=move&t=gold', $gw->port) eq '200 passed' },
             'the caller to be freed');

    put(gold => 'rate=1r/d burst=2');
    becomes($gw, gold => '"calls";q=2;w=172800');
    is(answers(3, '/t.txt?k=new&t=gold', $gw->port),
       '200 passed, 200 passed, 429 limited', 'bound');
    like(answers(3, '/t.txt?k=move&t=gold', $gw->port), qr/429 limited\z/,
         'bound too');
});


my $long = 'x' x 65536;
my $named = 'a tier has a name that is not 1 to 64 letters, digits, "-" or "_"';

for (
    [ 'no rate', 'the tier "bad" has no "rate="', bad => 'burst=5' ],
    [ 'an empty value', 'the tier "bad" has no "rate="', bad => '' ],
    [ 'a wrong rate', 'the tier "bad" has a rate that is no number',
      bad => 'rate=sesame' ],
    [ 'a wrong burst', 'the tier "bad" has a burst that is no number',
      bad => 'rate=1r/s burst=0' ],
    [ 'a wrong quota', 'the tier "bad" has a quota that is no number',
      bad => 'rate=1r/s quota=1/week' ],
    [ 'an unknown word', 'the tier "bad" has a word that is none of',
      bad => 'rate=1r/s sesame' ],
    [ 'a NUL', 'the tier "bad" has a rate that is no number',
      bad => "rate=1r/s\0burst=5" ],
    [ 'other bytes', 'the tier "bad" has a word that is none of',
      bad => "rate=1r/s \xff\x1b[2J\r\nsesame" ],
    [ 'a long value', 'the tier "bad" is longer than 256 bytes',
      bad => 'rate=1r/s' . ' ' x 248 ],
    [ 'a very long value', 'the tier "bad" is longer than 256 bytes',
      bad => "rate=1r/s sesame $long" ],
    [ 'many very long values', 'is longer than 256 bytes',
      map { $_ => "rate=1r/s sesame $long" } 1 .. 200 ],
    [ 'an empty name', $named, '' => 'rate=1r/s' ],
    [ 'a name with a brace', $named, 'sesame}' => 'rate=1r/s' ],
    [ 'a name with a line break', $named, "sesame\n" => 'rate=1r/s' ],
    [ 'a name with a NUL', $named, "sesame\0" => 'rate=1r/s' ],
    [ 'a long name', $named, 'x' x 65 => 'rate=1r/s' ],
    [ 'a very long name', $named, $long => 'rate=1r/s' ],
    [ 'a tier too many', 'it has more than 256 tiers',
      map { $_ => 'rate=1r/s' } 1 .. 256 ],
    [ 'thousands of tiers', 'it has more than 256 tiers',
      map { $_ => $long } 1 .. 2000 ],
)
{
    my ($title, $log, @bad) = @$_;

    test("$title: the last good list stays", sub {
        put(gold => 'rate=1r/s burst=9');
        becomes($gw, gold => '"calls";q=9;w=9');

        # new workers, to see the line in the log

        put(gold => 'rate=1r/s burst=8', @bad);
        $gw->reload(old => 1);
        again($gw, '_refused_total');

        stays($gw, gold => '"calls";q=9;w=9');

        my ($line) = grep { /gw tiers: "gw:tiers" is not taken/ }
                     reverse split /\n/, $gw->error_log;

        like($line, qr/\[error\].*, the last good list stays: .*\Q$log\E/,
             'the log');
        unlike($gw->error_log, qr/sesame/, 'nothing of the value');
        is(says("/t.txt?k=good$last&t=gold", $gw->port), '200 passed',
           'Redis still decides');
    });
}


test('the log is written once in a while', sub {
    my $refused = metric($gw, '_refused_total');
    my $lines = () = $gw->error_log =~ /is not taken/g;

    again($gw, '_refused_total') for 1 .. 5;

    $lines = (() = $gw->error_log =~ /is not taken/g) - $lines;

    cmp_ok($lines, '<', metric($gw, '_refused_total') - $refused, 'lines');
});


test('the largest list', sub {
    my @names = map { sprintf '%s-%03d', 'n' x 60, $_ } 1 .. 256;

    put(map { my $value = "rate=1r/s burst=$_ quota=68719476735/day";
              $names[$_ - 1] => $value . ' ' x (256 - length $value) }
        1 .. 256);

    becomes($gw, $names[0] => '"calls";q=1;w=1, '
                              . '"calls-day";q=68719476735;w=86400');
    stays($gw, $names[255] => '"calls";q=256;w=256, '
                              . '"calls-day";q=68719476735;w=86400');
    is(metric($gw, ''), 256, 'tiers');
});


test('a hash that is gone: the last good list stays', sub {
    put(gold => 'rate=1r/s burst=11');
    becomes($gw, gold => '"calls";q=11;w=11');

    put();
    $gw->reload(old => 1);
    again($gw, '_refused_total');

    stays($gw, gold => '"calls";q=11;w=11');
    like($gw->error_log, qr/is not taken, .*: it has no tiers any more/,
         'the log');
});


test('something else than a hash: the last good list stays', sub {
    command('SET', $key, 'sesame');
    again($gw, '_failures_total');

    stays($gw, gold => '"calls";q=11;w=11');
    like($gw->error_log, qr/"gw:tiers" could not be read: WRONGTYPE/,
         'the log');

    put(gold => 'rate=1r/s burst=12');
    becomes($gw, gold => '"calls";q=12;w=12');
    like($gw->error_log, qr/"gw:tiers" is read again after \d+ failures/,
         'the log');
});


test('workers die: the list stays, and is read', sub {
    kill('KILL', $gw->workers);
    wait_for(sub { $gw->workers == 3 }, 'new workers');

    put(gold => 'rate=1r/s burst=13');
    becomes($gw, gold => '"calls";q=13;w=13');
});


test('a worker hangs: others read', sub {
    my ($one) = $gw->workers;

    kill('STOP', $one);

    # whatever came to that one, waits for it

    for my $burst (14 .. 16) {
        put(gold => "rate=1r/s burst=$burst");

        wait_for(sub {
            local $SIG{ALRM} = sub { die "hangs\n" };
            alarm(2);
            my $numbers = eval { numbers($gw, 'gold') } // '';
            alarm(0);
            return $numbers eq "\"calls\";q=$burst;w=$burst";
        }, "gold: $burst");

        pass("gold: $burst");
    }

    kill('CONT', $one);
    becomes($gw, gold => '"calls";q=16;w=16');
});


test('Redis loses everything: the last good list stays', sub {
    $redis->signal('KILL');

    # which of them find out first does not matter

    again($gw, '_failures_total');

    is(says('/deny?k=a&t=gold', $gw->port), '503 unavailable',
       'tiers need no Redis, decisions do');
    is(metric($gw, ''), 1, 'tiers');

    $gw->reload(old => 1);
    is(metric($gw, ''), 1, 'tiers, after a reload');

    start_redis();
    again($gw, '_refused_total');

    becomes($gw, gold => '"calls";q=16;w=16');

    put(gold => 'rate=1r/s burst=17');
    becomes($gw, gold => '"calls";q=17;w=17');
});


test('another key is another list', sub {
    my $other = 'gw:others';

    command('HSET', $other, gold => 'rate=1r/s burst=18');

    $gw->edit(sub { s/key=gw:tiers/key=$other/ });
    $gw->reload(old => 1);

    becomes($gw, gold => '"calls";q=18;w=18');

    $gw->edit(sub { s/^ +gw_ratelimit_tiers.*//m });
    $gw->reload(old => 1);

    stays($gw, gold => '"calls";q=1;w=1');

    nothing_wrong($gw);
    $gw->stop;
});


test('Redis is down at start', sub {
    put(gold => 'rate=1r/s burst=19');

    $redis->stop;

    my $gw = tiers_gateway('gw_ratelimit_tier silver rate=1r/s burst=2;',
                           workers => 2);

    is(says('/look?k=a&t=gold', $gw->port), '200 unchecked', 'error=allow');
    is(says('/deny?k=a&t=gold', $gw->port), '503 unavailable', 'error=deny');
    is(says('/local?k=a&t=gold', $gw->port), '503 unavailable',
       'error=local: without numbers there is no bucket');
    is(says('/local?k=a&t=silver', $gw->port), '200 local',
       'error=local, and a tier that is configured');
    is(metric($gw, '_read'), 0, 'never read');

    start_redis();
    put(gold => 'rate=1r/s burst=19');
    becomes($gw, gold => '"calls";q=19;w=19');

    nothing_wrong($gw);
    $gw->stop;
});


test('one worker reads for all', sub {
    put(gold => 'rate=1r/s burst=20');

    my $n = reads();
    my $gw = tiers_gateway('', workers => 4, refresh => '1h');

    wait_for(sub {
        4 <= grep { !/cmd=client/ }
             split /\n/, command(qw(CLIENT LIST))
    }, 'four workers');

    wait_for(sub { metric($gw, '_reads_total') }, 'the list');
    stays($gw, gold => '"calls";q=20;w=20') for 1 .. 2;

    is(reads() - $n, 1, 'reads');

    nothing_wrong($gw);
    $gw->stop;
});


# a Redis that answers to nothing but the reading of the hash, as it is told

my $fake = fake_redis(sub {
    my ($state, @command) = @_;

    return hello(@command) if !@command || $command[0] !~ /^EVAL/;

    # a decision

    return integers(1, 7, 0, 0, 0) if $command[0] eq 'EVALSHA';

    return $state->{hold} ? \$state->{answer} : $state->{answer};
});


sub fake {
    return ask($fake, 'FAKE', @_);
}


sub bulk  { return '$' . length($_[0]) . "\r\n$_[0]\r\n" }
sub list  { return join '', '*', scalar @_, "\r\n", @_ }

my $good = list(integers(1), bulk('gold'), bulk('rate=1r/s burst=21'));


test('the first request waits for the list', sub {
    fake('SET', answer => $good);
    fake('SET', hold => 1);

    my $gw = tiers_gateway('', port => $fake);

    my @clients = map {
        send_http("GET /look?k=first$_&t=gold HTTP/1.0\r\n\r\n", $gw->port)
    } 1 .. 3;

    leave(shift @clients);

    wait_for(sub { fake('HELD') }, 'a read');
    fake('SET', hold => 0);
    fake('RELEASE');

    for my $client (@clients) {
        my $response = read_http($client);

        like($response, qr{\AHTTP/1.1 200}, 'not refused');
        is(header($response, 'X-Status'), 'passed', 'not unchecked');
        is(header($response, 'RateLimit-Policy'), '"calls";q=21;w=21',
           'by the numbers in Redis');
    }

    nothing_wrong($gw);
    $gw->stop;
});


test('the worker that reads is killed: its mark expires', sub {
    fake('FORGET');
    fake('SET', 'answer');

    my $gw = tiers_gateway('', port => $fake, timeout => '1s');
    my ($worker) = $gw->workers;

    wait_for(sub { fake('SEEN', '^EVAL') }, 'a read');
    kill('KILL', $worker);
    fake('SET', answer => $good);

    wait_for(sub { eval { metric($gw, '_reads_total') } }, 'another one');
    is(metric($gw, ''), 1, 'tiers');

    nothing_wrong($gw);
    $gw->stop;
});


test('answers that are none', sub {
    fake('SET', answer => $good);

    my $gw = tiers_gateway('', port => $fake);

    wait_for(sub { metric($gw, '_reads_total') }, 'the list');

    for my $answer (
        "+OK\r\n", ":1\r\n", "*-1\r\n", "\$-1\r\n", bulk('gold'), list(),
        error('ERR sesame'), error('NOPERM no permissions'),
        list(":1\r\n", bulk('gold'), bulk('rate=1r/s')),
        list(integers(1)), list(integers(1, 1)), list(integers(-1)),
        list(integers(1), bulk('gold')),
        list(integers(1), bulk('gold'), ":5\r\n"),
        list(integers(1), "\$-1\r\n", bulk('rate=1r/s')),
        list(integers(1), list(), bulk('rate=1r/s')),
        list(integers(1), (bulk('gold'), bulk('rate=1r/s')) x 2),
        list(integers('9223372036854775807')),
        list(integers('4611686018427387904'), bulk('gold'), bulk('')),
    ) {
        fake('SET', answer => $answer);

        my $n = metric($gw, '_failures_total')
                + metric($gw, '_refused_total');

        wait_for(sub {
            $n < metric($gw, '_failures_total')
                 + metric($gw, '_refused_total')
        }, $answer =~ s/\r\n/ /gr);

        is(metric($gw, ''), 1, $answer =~ s/\r\n/ /gr);
    }

    nothing_wrong($gw);
    $gw->stop;
});


test('a request that waits for the list is answered, whatever comes', sub {
    fake('SET', 'answer');

    my $gw = tiers_gateway('', port => $fake, timeout => '1s');
    my $request = "GET /deny?k=a&t=gold HTTP/1.0\r\n\r\n";

    is(header(read_http(send_http($request, $gw->port)), 'X-Status'),
       'unavailable', 'the deadline');

    # the worker ends, and the request is the only one that keeps it

    fake('FORGET');

    my $client = send_http($request, $gw->port);

    wait_for(sub { fake('SEEN', '^EVAL') }, 'a read');
    $gw->stop;

    is(header(read_http($client) // '', 'X-Status'), 'unavailable',
       'the deadline, in a worker that ends');
    nothing_wrong($gw);
});


done_testing();
