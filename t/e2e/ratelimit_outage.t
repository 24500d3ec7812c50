# Copyright (C) The nginx gateway modules authors

# Whatever happens to Redis while requests flow: each limit does what its
# error= says and nothing else, never is anybody let in without a limit that
# has one, no worker dies or waits, and all is as before by itself.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use GWE2E qw(trouble_in workers_of);
use GWLoad qw(conf excess logged);
use GWTest;


# what a limit without Redis may say, with which status of the response

my %without = (
    '/allow' => { unchecked => 200 },
    '/deny'  => { unavailable => 503 },
    '/local' => { local => 200, limited => 429 },
);

my @paths = sort keys %without;
my ($rate, $burst) = (50, 100);

my $redis = GWTest::Server->new('redis');
my $master = GWTest::Server->new('redis', 'master');

my $locations = join "\n", map {
    my ($name) = m{/(\w+)};

    <<"END";
location $_ {
    gw_ratelimit  $name key=hot rate=${rate}r/s burst=$burst error=$name;
    empty_gif;
}
END
} @paths;

my $gw = GWTest::Gateway->new(redis => $redis,
                              conf => conf(<<'HTTP', $locations));
gw_ratelimit_redis  redis://127.0.0.1:6379 timeout=50ms;
HTTP

my @workers = workers_of($gw, 2);

my $load = GWLoad->new(n => 8, targets => [ map { [ $gw, $_ ] } @paths ]);
my @scenarios;


# the access log from a position on

sub log_since {
    my ($position) = @_;

    open(my $fh, '<', $gw->dir . '/logs/access.log') or die "$!\n";
    seek($fh, $position, 0);
    local $/;

    return <$fh> // '';
}


sub log_end {
    return -s $gw->dir . '/logs/access.log';
}


# until each limit has said what it says without Redis, or with it

sub decided {
    my ($limits, $n, $what) = @_;

    my $position = log_end();

    wait_for(sub {
        my $text = log_since($position);

        !grep {
            my ($path, $limit) = ($_, $limits->{$_});
            (() = $text =~ / $limit $path$/mg) < $n;
        } @paths;
    }, "$what: " . join(' ', values %$limits), 120);
}


sub failing {
    decided({ '/allow' => 'unchecked', '/deny' => 'unavailable',
              '/local' => '(?:local|limited)' }, 100, @_);
}


# and all buckets are empty

sub works {
    decided({ map { $_ => 'passed' } @paths }, 5, @_);
    decided({ map { $_ => 'limited' } @paths }, 20, @_);
}


# how often Redis has refused to do it, and said why

sub errors {
    my ($code) = @_;

    my ($n) = $redis->command('INFO', 'errorstats')
        =~ /^errorstat_$code:count=(\d+)/m;

    return $n // 0;
}


sub refuses {
    my ($code) = @_;

    wait_for(sub { errors($code) }, "Redis to say $code");
}


# nothing waits for this to pass: it makes Redis as slow as it is

sub pause {
    my ($seconds) = @_;

    select(undef, undef, undef, $seconds);
}


# all data of Redis is lost so often

sub scenario {
    my ($name, $losses, $sub) = @_;

    $redis->command('CONFIG', 'RESETSTAT');

    my $from = int(time * 1000);

    $sub->($name);
    works($name);

    push @scenarios, { name => $name, losses => $losses, from => $from,
                       to => int(time * 1000) };

    is_deeply([ $gw->workers ], \@workers, "$name: the same workers");
}


$load->rate(900);
works('at first');


scenario('killed', 1, sub {
    $redis->signal('KILL');
    failing(@_);
    $redis->start;
});

scenario('hung without closing', 0, sub {
    $redis->signal('STOP');
    failing(@_);
    failing(@_);
    $redis->signal('CONT');
});

scenario('slow', 0, sub {
    for (1 .. 20) {
        $redis->signal('STOP');
        pause(0.03);
        $redis->signal('CONT');
        pause(0.01);
    }
});

scenario('too slow', 0, sub {
    for (1 .. 8) {
        $redis->signal('STOP');
        pause(0.08);
        $redis->signal('CONT');
        pause(0.02);
    }
});

scenario('scripts lost', 0, sub {
    for (1 .. 10) {
        $redis->command('SCRIPT', 'FLUSH');
        decided({ map { $_ => '(?:passed|limited)' } @paths }, 5, @_);
    }

    cmp_ok(errors('NOSCRIPT'), '>', 1, 'Redis did not know them');
});

scenario('restarted with nothing', 1, sub {
    $redis->stop;
    $redis->start;
});

scenario('out of memory', 0, sub {
    $redis->command(qw(CONFIG SET maxmemory 1));
    refuses('OOM');
    failing(@_);
    $redis->command(qw(CONFIG SET maxmemory 0));
});

scenario('a replica', 0, sub {
    $redis->command(qw(REPLICAOF 127.0.0.1 1));
    refuses('READONLY');
    failing(@_);
    $redis->command(qw(REPLICAOF NO ONE));
});

scenario('loading', 1, sub {

    # each key takes a moment

    $master->command('EVAL', 'for i = 1, 2000 do redis.call("SET", i, i) end',
                     0);
    $master->command(qw(CONFIG SET repl-diskless-sync-delay 0));
    $redis->command('CONFIG', 'SET', 'key-load-delay', 1000,
                    'loading-process-events-interval-bytes', 1024);
    $redis->command('REPLICAOF', '127.0.0.1', $master->port);

    refuses('LOADING');
    failing(@_);

    wait_for(sub { $redis->command(qw(REPLICAOF NO ONE)) eq 'OK' },
             'Redis to have loaded');
});

scenario('not allowed', 0, sub {
    $redis->command(qw(ACL SETUSER default -@scripting));
    refuses('NOPERM');
    failing(@_);
    $redis->command(qw(ACL SETUSER default +@all));
});


my @results = $load->stop;

is_deeply([ grep { $_->[3] == 0 } @results ], [],
          'each request is answered: ' . @results);


# what the log says

my @requests;

wait_for(sub { (@requests = logged($gw)) >= @results }, 'all in the log');
is(scalar @requests, @results, 'all are in the log');

my @odd;

for my $r (@requests) {
    my $status = $r->{limit} eq 'passed' ? 200
               : $r->{limit} eq 'limited' ? 429
               : $without{$r->{path}}{$r->{limit}} // -1;

    push @odd, "$r->{path} $r->{limit} $r->{status}"
        if $r->{status} != $status;
}

is_deeply(\@odd, [], 'each limit says what it may say');

for my $s (@scenarios) {
    my %by;

    for my $r (grep { $_->{from} >= $s->{from} && $_->{to} <= $s->{to} }
               @requests)
    {
        push @{$by{$r->{path}}{$r->{limit}}}, $r;
        $s->{slowest} = $r->{took} if $r->{took} > ($s->{slowest} // 0);
        $s->{count}++;
    }

    my @excess = map { excess($rate, @{$by{$_}{passed} || []}) } @paths;
    my ($most) = sort { $b <=> $a } @excess;

    cmp_ok($most, '<=', $burst * (1 + $s->{losses}),
           "$s->{name}: Redis lets in no more than it should");

    diag(sprintf('%s: %d ms, %d requests, longest %d ms; %s; '
                 . 'let in more than the rate: by Redis %s%.0f, '
                 . 'unchecked %.0f',
                 $s->{name}, $s->{to} - $s->{from}, $s->{count},
                 $s->{slowest},
                 join(', ', map {
                     my ($path, $limit) = @$_;
                     @{$by{$path}{$limit} || []} . " $limit";
                 } ['/allow', 'unchecked'], ['/deny', 'unavailable'],
                   ['/local', 'local']),
                 $s->{losses} ? "($s->{losses} x lost) " : '', $most,
                 excess($rate, @{$by{'/allow'}{unchecked} || []})));
}


# Its bucket here is never lost; it is full when Redis goes.  nginx reads the
# monotonic clock of the kernel's last tick, the log has the time of day: on a
# machine that missed ticks they are apart, and so is what the rate gives.

my $apart = 0.5;
my @local = grep { $_->{limit} eq 'local' } @requests;

cmp_ok(scalar @local, '>', $burst, 'error=local lets in');
cmp_ok(excess($rate, @local), '<=', $burst + $rate * $apart,
       'and never more than burst and rate');


# what was logged

my @causes = $gw->error_log =~ /gw ratelimit: Redis replied "(\w+)/g;

ok(@causes > 0, 'what Redis says is logged');

$gw->stop;

is_deeply([ trouble_in($gw) ], [], 'no alert in the error log');

done_testing();
