# Copyright (C) The nginx gateway modules authors

# Redis is not there yet, is killed, hangs, and comes back: requests are
# decided by their limit's error=, the worker waits for nothing else and
# lives, and all is as before by itself.

use strict;
use warnings;

use IO::Select;
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;

use GWE2E;
use GWTest;


my $kafka = GWTest::Server->new('mock-kafka');
my $redis = GWTest::Server->new('redis');
my $upstream = GWTest::Server->new('upstream');

# one worker, so that whatever blocked would block all

my $timeout = '50ms';

sub edit {

    # the limits' Redis alone is what fails here

    s/^    gw_auth_(?:redis|revocations) .*\n//mg;
    s/^    gw_auth_provider partners \{.*?^    \}\n//ms;
    s/accounts partners/accounts/;

    s/worker_processes  auto/worker_processes  1/;
    s/timeout=50ms/timeout=$timeout/;
    s/^    server \{\n\K/<<'END'/me;
        location /strict/ {
            gw_ratelimit    calls key=$gw_subject tier=$gw_tier error=deny;
            gw_usage_api    strict;

            proxy_pass      http://orders;
        }

        location /open/ {
            gw_auth       off;
            gw_ratelimit  off;
            gw_usage      off;

            proxy_pass    http://orders;
        }

        location = /status {
            gw_auth       off;
            gw_ratelimit  off;
            gw_usage      off;

            stub_status;
        }

END
}

$redis->signal('KILL');

my $gw = GWTest::Gateway->new(redis => $redis, kafka => $kafka,
                              upstream => $upstream, edit => \&edit);

my $gold = token(sub => 'bob', plan => 'gold');
my ($worker) = $gw->workers;
my $clients = 0;


# a request of a caller who was never seen before, so that one token is gone
# from a full bucket if this is the answer to it

sub newcomer {
    my $name = 'newcomer' . $clients++;

    return [ "/orders/$name", token => token(sub => $name, plan => 'free') ];
}


sub works_again {
    my ($when) = @_;

    my $r;

    wait_for(sub {
        $r = $gw->get(@{newcomer()});
        $r->{headers}{ratelimit};
    }, 'limits to work again', 60);

    like($r->{headers}{ratelimit}, qr/r=9;/, "$when: limits work again");
    is_deeply([ $gw->workers ], [ $worker ], "$when: the same worker");
}


sub limited_requests {
    my ($n) = @_;

    return map { my $i = $_;
                 map { [ "/$_/$i", token => $gold ] } qw(orders strict) }
           1 .. $n;
}


# each is answered as its limit says

sub decided_without_redis {
    my ($when, @r) = @_;

    my %statuses;

    $statuses{(split m{/}, $_->{path})[1]}{$_->{status}}++ for @r;

    is_deeply([ map { join ' ', keys %{$statuses{$_}} } qw(orders strict) ],
              [ 200, 503 ], "$when: error=allow lets in, error=deny refuses: "
                            . @r . ' requests');

    my ($strict) = grep { $_->{status} == 503 } @r;

    is($strict->{headers}{'content-type'}, 'application/problem+json',
       "$when: problem+json");
    like($strict->{headers}{'retry-after'}, qr/\A[1-9]\d*\z/,
         "$when: Retry-After");
    is($strict->{json}{status}, 503, "$when: the body");
}


# Redis is not there when nginx starts

decided_without_redis('not there yet', at_once($gw, limited_requests(10)));
is($gw->get('/open/')->{status}, 200, 'other locations answer');

$redis->start;
works_again('started');


# Redis is killed while requests flow

my $end = 0;

my @r = load($gw, 4, sub {
    return (!$end || @_ < $end) && (limited_requests(1))[@_ % 2];

}, sub {
    if (!$end && grep({ $_->{headers}{ratelimit} } @_) >= 20) {
        $redis->signal('KILL');
        $end = @_ + 100;
    }
});

my @with = grep { $_->{headers}{ratelimit} } @r;

ok(@with >= 20, 'with Redis limits are checked');
is_deeply([ grep { $_->{status} != 200 } @with ], [], 'and all pass');
decided_without_redis('killed', grep { !$_->{headers}{ratelimit} } @r);
decided_without_redis('still away', at_once($gw, limited_requests(20)));
is($gw->get('/open/')->{status}, 200, 'other locations answer');

$redis->start;
works_again('killed and back');


# Redis hangs, with the timeout of the file

$redis->signal('STOP');
decided_without_redis('hangs', at_once($gw, limited_requests(20)));
decided_without_redis('still hangs', at_once($gw, limited_requests(20)));
is($gw->get('/open/')->{status}, 200, 'other locations answer');
$redis->signal('CONT');
works_again('hung and back');


# While many wait for Redis, others are served.  Those who wait are let go
# after 2 seconds; on a machine that is so slow there is another try.

$timeout = '2s';
$gw->edit(\&edit);
$gw->reload(old => 1);
($worker) = $gw->workers;
works_again('reloaded');

my $served = 0;

for (1 .. 10) {
    $redis->signal('STOP');

    my @waiting = map { send_request($gw->port, 'GET', @$_) }
                      limited_requests(20);
    my $select = IO::Select->new(@waiting);

    for ($served = 0; $served < 10; $served++) {
        last if $gw->get('/open/')->{status} != 200 || $select->can_read(0);
    }

    @r = map { read_response($_) } @waiting;
    is_deeply([ map { $_->{status} } @r ], [ (200, 503) x 20 ],
              'those who waited are answered');

    $redis->signal('CONT');
    works_again('served others');

    last if $served == 10;
}

is($served, 10, 'other locations answer while 40 requests wait');


# clients that go while Redis is silent

my ($gone, $asked) = (0, 0);

sub writing {
    return $gw->get('/status')->{body} =~ /Writing: (\d+)/ ? $1 : 0;
}

sub all_wait {
    my $select = IO::Select->new(@_);
    my $n = @_;

    # with the request that asks it is one more

    wait_for(sub { writing() > $n || $select->can_read(0) }, 'all to wait');
}

for (1 .. 10) {
    my $before = () = requests_in($gw, 0);

    $redis->signal('STOP');

    my @waiting = map { send_request($gw->port, 'GET', @$_) }
                      limited_requests(50);

    all_wait(@waiting);

    for (0 .. $#waiting) {

        # half of them by a RST

        setsockopt($waiting[$_], SOL_SOCKET, SO_LINGER, pack('ii', 1, 0))
            if $_ % 2;
        close($waiting[$_]);
    }

    wait_for(sub { writing() == 1 }, 'nginx to notice');

    # Redis will answer all of them, but nobody is there; who asks now has to
    # get the answer to what he asked

    @waiting = map { send_request($gw->port, 'GET', @{newcomer()}) } 1 .. 5;
    all_wait(@waiting);
    $redis->signal('CONT');

    my @left = map { read_response($_)->{headers}{ratelimit} // () } @waiting;

    is_deeply([ grep { !/r=9;/ } @left ], [], 'answers are not mixed up');
    works_again('abandoned');

    my @lines = requests_in($gw, $before + 100);

    $gone = grep { $_->{status} == 499 } splice(@lines, $before);
    $asked = @left;
    last if $gone == 100 && $asked == 5;
}

is($gone, 100, 'clients go while Redis is silent');
is($asked, 5, 'and others stay');


# reloads while Redis hangs and requests wait

$redis->signal('STOP');

my ($reloads, $next) = (0, 10);
my %old = ($worker => 1);

kill('HUP', $gw->master);

@r = load($gw, 16, sub {
    return $reloads < 5 && (limited_requests(1))[@_ % 2];

}, sub {
    my @new = grep { !$old{$_} } $gw->workers;

    return if @_ < $next || $reloads == 5 || !@new;

    @old{@new} = (1) x @new;
    $reloads++;
    $next = @_ + 10;

    kill('HUP', $gw->master);
});

is($reloads, 5, 'nginx is reloaded while Redis hangs');
decided_without_redis('reloaded', @r);

$redis->signal('CONT');

wait_for(sub {
    my @workers = $gw->workers;
    ($worker) = @workers;
    @workers == 1 && !$old{$worker};
}, 'old workers to end', 60);

works_again('after the reloads');


# what was logged

my %last;
my @often;
my $failures = 0;

for my $line (split /\n/, $gw->error_log) {
    my ($time, $pid, $what) = $line
        =~ /\A\S+ (\S+) \[(?:warn|error)\] (\d+)#\d+: (.*)/ or next;

    my $site = $what =~ /gw redis: .* timed out, .* more failures/ ? 'timeout'
             : $what =~ /gw redis: .* more failures before/ ? 'failure'
             : $what =~ /gw redis: .* outstanding/ ? 'busy'
             : $what =~ /gw ratelimit: .* without Redis/ ? 'decision'
             : next;

    my ($h, $m, $s) = split /:/, $time;
    my $at = ($h * 60 + $m) * 60 + $s;

    $failures++;

    my $last = $last{$pid}{$site};
    push @often, $line if defined $last && ($at - $last) % 86400 < 9;
    $last{$pid}{$site} = $at;
}

ok($failures > 0, 'failures are logged');
is_deeply(\@often, [], 'but not more often than every 10 seconds');
like($gw->error_log, qr/\[notice\].* gw redis: \S+ is back after/,
     'and that Redis is back');

is_deeply([ event_problems($gw, $kafka) ], [],
          'every request is in Kafka once');

$gw->stop;

is_deeply([ trouble_in($gw) ], [], 'no alert in the error log');

done_testing();
