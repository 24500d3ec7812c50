# Copyright (C) The nginx gateway modules authors

# A broker that wants TLS and a password: events arrive, the log never has the
# password, and nginx ends in peace whatever state a session of TLS is in.

use strict;
use warnings;

use IO::Socket::INET;
use Test::More;

use GWE2E;
use GWKafka;
use GWTest;


plan skip_all => 'no Kafka'
    if ($ENV{GW_KAFKA} // '') eq 'mock'
       || system("$GWTest::ROOT/tools/kafka-libs.sh > /dev/null 2>&1") != 0;

my $kafka = GWKafka->new('kafka-tls');
my $redis = GWTest::Server->new('redis');
my $upstream = GWTest::Server->new('upstream');
my $wrong = 'hunter2-is-wrong';
my ($settings, %killed);

END {
    $kafka->signal('CONT') if $kafka && $kafka->running;
}


sub edit {
    s/gw_usage_kafka\s[^;]*;/$settings gw_usage_kafka_set debug all;/;
    s/worker_processes\s+auto/worker_processes 2/;
    s/(error_log\s+\S+)\s+\w+;/$1 debug;/;
}


$settings = $kafka->settings;

my $gw = GWTest::Gateway->new(redis => $redis, upstream => $upstream,
                              edit => \&edit);
my $gold = token(sub => 'bob', plan => 'gold');


sub requests {
    my ($title, $n) = @_;

    my @r = at_once($gw, map { [ '/orders/1', token => $gold ] } 1 .. $n);

    is(scalar(grep { $_->{status} == 200 } @r), $n, "$title: requests pass");
}


# The master kills workers some 1.5 s after TERM: one that was in its time
# may be taken for late by a machine that is busy.  So it has five attempts.

sub ends {
    my ($title, $signal, $n) = @_;

    return if exists $killed{"$title $signal"} && !$killed{"$title $signal"};

    my $before = length $gw->error_log;

    requests($title, $n);
    $gw->stop($signal);

    my $log = substr($gw->error_log, $before);

    $killed{"$title $signal"} = $log =~ /exited on signal 9/ || 0;
    ok($log !~ /exited on signal (?!9)|Sanitizer: |runtime error: /,
       "$title, $signal: nginx ends in peace");

    $gw->start;
    workers_of($gw, 2);
}


sub ends_always {
    my ($title) = @_;

    ends($title, $_, 20) for 'QUIT', ('TERM') x 5;
}


requests('TLS', 50);
is_deeply([ problems($kafka, $gw) ], [], 'TLS: each event arrives');

# the answer comes later than the events

ok(wait_for(sub { $gw->error_log =~ /min\.insync\.replicas 1/ },
            'the log to say so'),
   'TLS: the log tells that one replica is not safe');

$kafka->signal('STOP');
ends_always('hangs in the middle');
$kafka->signal('CONT');

# nobody answers, not even to the greeting of TLS

my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 100)
    or die "listen: $!\n";

$settings =~ s/127\.0\.0\.1:\d+/'127.0.0.1:' . $silent->sockport/e;
$gw->edit(\&edit);
$gw->reload(old => 1);
ends_always('says nothing');

$settings = $kafka->settings;
$settings =~ s/\Q@{[$kafka->password]}\E/$wrong/;
$gw->edit(\&edit);
$gw->reload(old => 1);
requests('wrong password', 20);

wait_for(sub { $gw->error_log =~ /\[error\].*SASL authentication error/ },
         'the log to say so');
ends_always('wrong password');

$settings = $kafka->settings;
$gw->edit(\&edit);
$gw->reload(old => 1);
requests('all is well', 20);
is_deeply([ problems($kafka, $gw) ], [],
          'all is well: each event arrives, also the earlier ones');

$gw->stop;

my $log = $gw->error_log;

ok($log =~ /gw kafka: CONF: .*client\.id = nginx/,
   'the log has what librdkafka tells of its configuration');
ok($log !~ /\Q$wrong\E|\Q@{[$kafka->password]}\E/, 'but no password');

is_deeply([ grep { $killed{$_} } sort keys %killed ], [],
          'workers end in their time');
is_deeply([ grep { !/exited on signal 9/ } trouble_in($gw) ], [],
          'nothing went wrong');

done_testing();
