# Copyright (C) The nginx gateway modules authors

# A Redis cluster under load: a master is killed, hangs, hands over; slots
# move, one by one and by the hundred.  Then what no real one does.

use strict;
use warnings;

use Test::More;

use GWAuthService;
use GWE2E;
use GWRedisNodes;
use GWTest;


my $keys = 60;

my $cluster = GWRedisNodes->new('cluster');
my $known = $cluster->port;
my $gw = key_gateway('redis://127.0.0.1:KNOWN cluster timeout=2s',
                     workers => 2, edit => sub { s/KNOWN/$known/ });

save_keys(sub { $cluster->command('-c', @_) }, $keys);
workers_of($gw, 2);


sub sum {
    my ($section, $name) = @_;

    my $sum = 0;

    for my $node ($cluster->nodes) {
        $sum += $1 if $node->command('INFO', $section) =~ /^$name=(\d+)/m;
    }

    return $sum;
}


sub forget_counts {
    $_->command(qw(CONFIG RESETSTAT)) for $cluster->nodes;
}


sub replica_of {
    my ($master) = @_;

    my $id = $master->command(qw(CLUSTER MYID));
    my ($port) = map { /:(\d+)@/ }
                 split /\n/, $master->command(qw(CLUSTER REPLICAS), $id);

    return $cluster->at($port);
}


all_found($gw, $keys, 'at first');
is(sum('errorstats', 'errorstat_CROSSSLOT:count'), 0, 'no CROSSSLOT');


# a master is killed

my $slot = slot_of(1);
my $master = $cluster->master($slot);

disturb($gw, 'killed', $keys, sub {
    $master->signal('KILL');
}, sub {
    my $now = $cluster->master($slot);
    return $now && $now->port != $master->port;
});

all_found($gw, $keys, 'killed');
$master->start;
$cluster->wait_well;


# a master hangs, and answers again when it is a replica

$master = $cluster->master($slot);

disturb($gw, 'hung', $keys, sub {
    $master->signal('STOP');
}, sub {
    my $now = $cluster->master($slot);
    return $now && $now->port != $master->port;
});

$master->signal('CONT');
all_found($gw, $keys, 'hung');
$cluster->wait_well;


# a master hands over

$master = $cluster->master($slot);
my $replica = replica_of($master);

disturb($gw, 'handed over', $keys, sub {
    $replica->command(qw(CLUSTER FAILOVER));
}, sub {
    my $now = $cluster->master($slot);
    return $now && $now->port == $replica->port;
});

$cluster->wait_well;


# one slot, step by step: all of its keys are found at any time

sub masters {
    return grep { $_->command('ROLE') =~ /\Amaster/ } $cluster->nodes;
}

my $from = $cluster->master($slot);
my ($to) = grep { $_->port != $from->port } masters();
my ($from_id, $to_id) = map { $_->command(qw(CLUSTER MYID)) } $from, $to;

forget_counts();

is(disturb($gw, 'the slot moves', $keys, sub {
    $to->command('CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $from_id);
    $from->command('CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $to_id);
}, sub { 1 }), 0, 'nothing failed');

is(disturb($gw, 'its keys move', $keys, sub {
    my @keys = split /\n/, $from->command('CLUSTER', 'GETKEYSINSLOT', $slot,
                                          100);
    $from->command('MIGRATE', '127.0.0.1', $to->port, '', 0, 5000, 'KEYS',
                   @keys);
}, sub { 1 }), 0, 'nothing failed');

cmp_ok(sum('errorstats', 'errorstat_ASK:count'), '>', 0, 'ASK was said');
cmp_ok(sum('commandstats', 'cmdstat_asking:calls'), '>', 0, 'and followed');
is(sum('errorstats', 'errorstat_MOVED:count'), 0, 'nothing had MOVED yet');

is(disturb($gw, 'it has moved', $keys, sub {
    $_->command('CLUSTER', 'SETSLOT', $slot, 'NODE', $to_id)
        for $to, $from;
}, sub {
    my $now = $cluster->master($slot);
    return $now && $now->port == $to->port;
}), 0, 'nothing failed');

cmp_ok(sum('errorstats', 'errorstat_MOVED:count'), '>', 0, 'MOVED was said');

# each worker has to hear it once

wait_for(sub {
    forget_counts();
    all_found($gw, $keys, 'it has moved');
    sum('errorstats', 'errorstat_MOVED:count') == 0;
}, 'MOVED to be remembered');


# many slots

forget_counts();

is(disturb($gw, 'many slots move', $keys, sub {
    my $pid = fork // die "fork: $!\n";

    if (!$pid) {
        open(STDOUT, '>', run_dir() . '/reshard.log');
        open(STDERR, '>&', \*STDOUT);
        exec('redis-cli', '--cluster', 'reshard', $to->address,
             '--cluster-from', $to_id, '--cluster-to', $from_id,
             '--cluster-slots', 1000, '--cluster-yes') or exit 1;
    }

    $main::reshard = $pid;
}, sub { waitpid($main::reshard, 1) != 0 }), 0, 'nothing failed');

cmp_ok(sum('errorstats', 'errorstat_MOVED:count'), '>', 0, 'MOVED was said');
is(sum('errorstats', 'errorstat_CROSSSLOT:count'), 0, 'no CROSSSLOT');
all_found($gw, $keys, 'many slots moved');


# The bucket and the quota of a caller are for a while in two nodes: nobody
# can decide then.  The new node has never seen the script.

$cluster->wait_well;
forget_counts();

my $limits = GWTest::Gateway->new(name => 'limits', conf => <<"END");
load_module  modules/ngx_http_gw_ratelimit_module.so;

user       www-data;
pid        /run/nginx.pid;
error_log  /var/log/nginx/error.log info;

events {
    worker_connections  1024;
}

http {
    access_log  off;

    gw_ratelimit_redis  redis://127.0.0.1:$known cluster timeout=2s;

    server {
        listen  8080;

        location / {
            gw_ratelimit  calls key=\$arg_k rate=1r/m burst=100
                          quota=1000/day error=deny;
            add_header    X-Status \$gw_ratelimit_status always;
            add_header    X-Left   \$gw_ratelimit_remaining always;
            empty_gif;
        }
    }
}
END

sub limited {
    my $r = $limits->get('/?k=' . $_[0]);

    return join ' ', $r->{status},
                     map { $r->{headers}{$_} // '-' } qw(x-status x-left);
}

is(limited('alice'), '200 passed 99', 'two keys in one node');

$slot = $cluster->command(qw(CLUSTER KEYSLOT alice));
$from = $cluster->master($slot);
($to) = grep { $_->port != $from->port } masters();
($from_id, $to_id) = map { $_->command(qw(CLUSTER MYID)) } $from, $to;

sub migrate {
    $from->command('MIGRATE', '127.0.0.1', $to->port, $_, 0, 5000) for @_;
}

my @parts = split /\n/, $from->command('CLUSTER', 'GETKEYSINSLOT', $slot, 9);

is(scalar @parts, 2, 'which are a bucket and a quota');

$to->command('CLUSTER', 'SETSLOT', $slot, 'IMPORTING', $from_id);
$from->command('CLUSTER', 'SETSLOT', $slot, 'MIGRATING', $to_id);
migrate($parts[0]);

is(limited('alice'), '503 unavailable -', 'a key in each: not decided');
is(sum('errorstats', 'errorstat_TRYAGAIN:count'), 6, 'TRYAGAIN was heard');

migrate($parts[1]);

is(limited('alice'), '200 passed 98', 'both in the new node');
cmp_ok(sum('errorstats', 'errorstat_NOSCRIPT:count'), '>', 0,
       'NOSCRIPT was said');

$_->command('CLUSTER', 'SETSLOT', $slot, 'NODE', $to_id) for $to, $from;

is(limited('alice'), '200 passed 97', 'and after that');
is_deeply([ grep { limited("caller-$_") ne '200 passed 99' } 1 .. 30 ], [],
          'callers everywhere');
is(sum('errorstats', 'errorstat_CROSSSLOT:count'), 0, 'no CROSSSLOT');

$limits->stop;
is_deeply([ trouble_in($limits) ], [], 'nothing went wrong');


# the only node that the configuration names is killed: others are known

my $named = $cluster->master($slot);

$known = $named->port;
$gw->write_conf;
$gw->reload(old => 1);
workers_of($gw, 2);
all_found($gw, $keys, 'another configuration');

disturb($gw, 'the named node is killed', $keys, sub {
    $named->signal('KILL');
}, sub {
    my $now = $cluster->master($slot);
    return $now && $now->port != $known;
});

all_found($gw, $keys, 'the named node is killed');

$gw->stop;
is_deeply([ trouble_in($gw) ], [], 'nothing went wrong');

done_testing();
