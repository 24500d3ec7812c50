# Copyright (C) The nginx gateway modules authors

# Redis with sentinels under load: the master is killed, hangs, hands over,
# with all sentinels or without some.  Then what no real sentinel says.

use strict;
use warnings;

use Test::More;

use GWAuthService;
use GWE2E;
use GWRedisNodes;
use GWTest;


my $keys = 30;

my $group = GWRedisNodes->new('sentinel');
my @sentinels = $group->sentinels;
my $hosts = join ',', map { $_->address } @sentinels;

my $gw = key_gateway("redis://$hosts sentinel=gateway timeout=2s",
                     workers => 2);

save_keys(sub { $group->master->command(@_) }, $keys);
workers_of($gw, 2);


# the master goes, in some way; returns the old one

sub fail_over {
    my ($title, $code) = @_;

    my $old = $group->master;

    disturb($gw, $title, $keys, sub { $code->($old) }, sub {
        my $new = $group->master;
        return $new && $new->port != $old->port;
    });

    all_found($gw, $keys, $title);

    return $old;
}


all_found($gw, $keys, 'at first');

fail_over('killed', sub { $_[0]->signal('KILL') })->start;
$group->wait_well;

fail_over('hung', sub { $_[0]->signal('STOP') })->signal('CONT');
$group->wait_well;

fail_over('handed over', sub {
    $sentinels[0]->command(qw(SENTINEL FAILOVER gateway));
});
$group->wait_well;

# two of them can decide, and one can tell

$sentinels[0]->signal('STOP');
fail_over('killed, a sentinel hangs', sub { $_[0]->signal('KILL') })->start;
$sentinels[0]->signal('CONT');
$group->wait_well;

$_->signal('KILL') for @sentinels[0, 1];
$gw->reload(old => 1);
workers_of($gw, 2);
all_found($gw, $keys, 'one sentinel lives');

$_->start for @sentinels[0, 1];
$group->wait_well;


$gw->stop;
is_deeply([ trouble_in($gw) ], [], 'nothing went wrong');


# Answers that are of no use: 15 sentinels give 2 each, and then know nothing
# until there is a file

my $redis = GWTest::Server->new('redis');
my $replica = fake(sub {
    my (undef, $name) = @_;

    return $name eq 'AUTH' ? "+OK\r\n"
         : $name eq 'ROLE' ? "*5\r\n\$5\r\nslave\r\n\$9\r\n127.0.0.1\r\n"
                             . ":1\r\n\$9\r\nconnected\r\n:0\r\n"
         : "-READONLY You can't write against a read only replica.\r\n";
});

my @useless = (
    "-ERR unknown command\r\n", "-NOPERM no permission\r\n",
    "*-1\r\n", "\$-1\r\n", "*0\r\n", "+OK\r\n", ":1\r\n",
    bulk('127.0.0.1'), bulk('127.0.0.1', 6379, 1), bulk('', 6379),
    bulk('127.0.0.1', ''), bulk('127.0.0.1', 0), bulk('127.0.0.1', 65536),
    bulk('127.0.0.1', -1), bulk('127.0.0.1', '6379x'),
    bulk('127.0.0.1', '9' x 40), bulk("127.0.0.1\r\n", 6379),
    bulk('h' x 256, 6379), bulk('h' x 70000, 6379),
    bulk('nowhere.example', 6379), bulk('?', 6379), bulk('::1', 1),
    "*2\r\n:1\r\n:2\r\n", "*2\r\n\$-1\r\n\$-1\r\n",
    "*2\r\n*1\r\n:1\r\n*1\r\n:1\r\n",
    "HTTP/1.1 400 Bad Request\r\n\r\n", "*2\r\n\$9\r\n127.0.0.1\r\n",
    undef, bulk('127.0.0.1', free_port()), bulk('127.0.0.1', $replica->port),
);

my $file = run_dir() . '/good';

my @fakes = map {
    my $k = $_;

    fake(sub {
        my ($n, $name) = @_;

        return $name eq 'AUTH' ? "+OK\r\n"
             : $n < 2 ? $useless[$n * 15 + $k]
             : -e $file ? bulk('127.0.0.1', $redis->port) : "*-1\r\n";
    })
} 0 .. 14;

save_keys(sub { $redis->command(@_) }, 1);
$redis->command(qw(ACL SETUSER gate on >the-password ~* +@all));

$gw = key_gateway('redis://gate:the-password@'
                  . join(',', map { '127.0.0.1:' . $_->port } @fakes)
                  . ' sentinel=gateway sentinel_auth=watch:the-other-one',
                  name => 'strange');
my ($worker) = $gw->workers;
my %seen;

wait_for(sub {
    $seen{who(look($gw, 1))}++;
    !grep { (() = $_->commands('SENTINEL')) < 2 } @fakes;
}, 'all to be asked twice', 120);

is_deeply([ keys %seen ], ['503 - redis_unavailable'],
          'as long as there is no master, nothing but 503');

open(my $fh, '>', $file) or die "$file: $!\n";
wait_for(sub { found(look($gw, 1), 1) }, 'the master to be found');
is_deeply([ $gw->workers ], [ $worker ], 'the same worker');

is_deeply([ grep { !/^AUTH watch the-other-one$/ }
            map { map { "@$_" } $_->commands('AUTH') } @fakes ], [],
          'sentinels are told their own password');
is_deeply([ grep { !/^AUTH gate the-password$/ }
            map { "@$_" } $replica->commands('AUTH') ], [],
          'and Redis its own');
is(scalar $replica->commands('HGETALL'), 0, 'a replica is asked nothing');

$gw->stop;
is_deeply([ trouble_in($gw) ], [], 'nothing went wrong');
unlike($gw->error_log, qr/the-password|the-other-one/,
       'no password in the log');

done_testing();
