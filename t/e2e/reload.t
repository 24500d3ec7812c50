# Copyright (C) The nginx gateway modules authors

# Reloads one after the other under load: no request fails, no event is lost
# or counted twice, and old workers end.

use strict;
use warnings;

use Test::More;

use GWE2E;
use GWTest;


my $RELOADS = 20;

my $kafka = broker();
my $redis = GWTest::Server->new('redis');
my $upstream = GWTest::Server->new('upstream');
my $gw = GWTest::Gateway->new(
    redis => $redis, kafka => $kafka, upstream => $upstream,
    edit => sub { s/worker_processes  auto/worker_processes  2/ });

note('Kafka is ' . $kafka->kind);

my $gold = token(sub => 'bob', plan => 'gold');
my %old = map { $_ => 1 } workers_of($gw, 2);

my $reloads = 0;
my $next = 20;


# the next one as soon as the new workers have served some requests

my @r = load($gw, 8, sub {
    my $n = @_;

    return ($reloads < $RELOADS || $n < $next)
           && [ "/orders/$n", token => $gold ];

}, sub {
    my @new = grep { !$old{$_} } $gw->workers;

    return if @_ < $next || $reloads == $RELOADS
              || ($reloads && @new < 2);

    @old{@new} = (1) x @new;
    $reloads++;
    $next = @_ + 20;

    kill('HUP', $gw->master);
});

is($reloads, $RELOADS, "$RELOADS reloads under load");
is_deeply([ map { "$_->{path} $_->{status} " . ($_->{error} // '') }
            grep { $_->{status} != 200 } @r ], [],
          'all of ' . @r . ' requests pass');

my @workers;

wait_for(sub {
    @workers = $gw->workers;
    @workers == 2 && !grep { $old{$_} } @workers;
}, 'old workers to end', 60);

is(@workers, 2, 'only the new workers are left');

my @lines = requests_in($gw, scalar @r);
my %generations = map { $_->{usage} =~ s/-.*//r => 1 } @lines;

is(@lines, @r, 'every request is in the access log');
cmp_ok(keys %generations, '>', $RELOADS,
       'ids are of ' . keys(%generations) . ' generations');
is_deeply([ event_problems($gw, $kafka) ], [],
          'every request is in Kafka once');

$gw->stop;

is_deeply([ trouble_in($gw) ], [], 'no alert in the error log');

done_testing();
