# Copyright (C) The nginx gateway modules authors

# The proof of GWMeterProof finds each kind of loss and double count, and
# nothing where there is none.

use strict;
use warnings;

use Test::More;

use GWMeterProof;


my $A = '00000000000000aa';
my $B = '00000000000000bb';


sub request {
    my ($n) = @_;

    return sprintf('%032x', $n);
}


sub event {
    my ($id, $n, %arg) = @_;

    my $type = $arg{type} // 'gw.usage.v1';
    my $request = request($n);
    my $status = $arg{status} // 200;

    return qq({"specversion":"1.0","id":"$id","source":"node",)
           . qq("type":"$type","subject":"alice",)
           . qq("time":"2026-11-22T10:00:00.000Z",)
           . qq("datacontenttype":"application/json",)
           . qq("data":{"api":"a","status":$status,"request_id":"$request"}});
}


sub unfinished {
    return event(@_, type => 'gw.usage.unfinished.v1');
}


sub mark {
    my ($generation, $number, $state, $sequence, %arg) = @_;

    my $dropped = $arg{dropped} // 0;
    my $time = $arg{time} // '2026-11-22T10:00:00.000Z';

    return qq({"specversion":"1.0","id":"$generation-m$number",)
           . qq("source":"node","type":"gw.usage.mark.v1","time":"$time",)
           . qq("datacontenttype":"application/json",)
           . qq("data":{"state":"$state","generation":"$generation",)
           . qq("sequence":$sequence,"dropped":$dropped}});
}


# two generations, one closed with five requests, one adopted with three, of
# which the last is unfinished; the changes are those of the test

sub proof {
    my (%change) = @_;

    my $proof = GWMeterProof->new(%{$change{new} || {}});

    my %messages = (
        'A-m1' => mark($A, 1, 'open', 0),
        (map { ("A-$_" => event("$A-$_", $_)) } 1 .. 5),
        'A-m2' => mark($A, 2, 'running', 3),
        'A-m3' => mark($A, 3, 'closed', 5),
        'B-m1' => mark($B, 1, 'open', 0),
        'B-1' => event("$B-1", 11),
        'B-2' => event("$B-2", 12),
        'B-3' => unfinished("$B-3", 13),
        'B-m0' => mark($B, 0, 'adopted', 3),
        %{$change{messages} || {}},
    );

    for (sort keys %messages) {
        my $generation = /\AA/ ? $A : $B;

        $proof->message(/\AA/ ? 0 : 1, $generation, $messages{$_})
            if defined $messages{$_};
    }

    $proof->message(@$_) for @{$change{more} || []};

    $proof->answered(request($_)) for 1 .. 5, 11, 13;
    $proof->reached(request($_)) for 2, 3, 12;
    $proof->logged("$A-$_", request($_)) for 1 .. 5;
    $proof->logged("$B-1", request(11));

    $change{after}->($proof) if $change{after};

    return $proof;
}


sub finds {
    my ($what, $expected, %change) = @_;

    my $proof = proof(%change);

    is_deeply([ $proof->problems ], $expected, $what)
        or diag($proof->report);
}


finds('nothing is wrong', []);

my $proof = proof(more => [ [ 0, $A, event("$A-2", 2) ],
                            [ 1, $B, unfinished("$B-3", 13) ] ]);

is_deeply([ $proof->problems ], [], 'duplicates are allowed');
is($proof->count('duplicates'), 2, 'and counted');
is($proof->count('full'), 7, 'events are counted once');
is($proof->count('unfinished'), 1, 'unfinished ones too');
is($proof->count('generations'), 2, 'and generations');
is($proof->count('closed'), 1, 'closed ones');
is($proof->count('adopted'), 1, 'and adopted ones');
is($proof->count('unlogged'), 1, 'events without a line in the access log');
like($proof->report, qr/^15 messages, 7 full, /, 'the report tells numbers')
    or diag($proof->report);

finds('an event that was logged is lost',
      [ 'lost: ' . request(1) . ' answered',
        "incomplete: $A-1 is logged, nothing is in Kafka", "gap: $A-1" ],
      messages => { 'A-1' => undef });

finds('an event of a request that reached an upstream is lost',
      [ 'lost: ' . request(12) . ' reached', "gap: $B-2" ],
      messages => { 'B-2' => undef });

finds('an unfinished event is lost, and nothing tells of it but the client',
      [ 'lost: ' . request(13) . ' answered' ],
      messages => { 'B-3' => undef, 'B-m0' => mark($B, 0, 'adopted', 2) });

finds('a gap of which nobody else knows',
      [ "gap: $A-6" ],
      messages => { 'A-m3' => mark($A, 3, 'closed', 6) });

finds('what was logged has only an unfinished event',
      [ "incomplete: $A-4 is logged, unfinished is in Kafka" ],
      messages => { 'A-4' => unfinished("$A-4", 4) });

finds('an event and an unfinished one under one id',
      [ "bodies: $A-4: full and unfinished" ],
      more => [ [ 0, $A, unfinished("$A-4", 4) ] ]);

finds('the same the other way round',
      [ "bodies: $B-3: unfinished and full" ],
      more => [ [ 1, $B, event("$B-3", 13) ] ]);

finds('two events under one id',
      [ "bodies: $A-4: full and full" ],
      more => [ [ 0, $A, event("$A-4", 4, status => 500) ] ]);

finds('one request under two ids',
      [ 'twice: ' . request(5) . " is $A-5 and $A-6" ],
      messages => { 'A-6' => event("$A-6", 5),
                    'A-m3' => mark($A, 3, 'closed', 6) });

finds('one request in two generations',
      [ 'twice: ' . request(5) . " is $A-5 and $B-3" ],
      messages => { 'B-3' => unfinished("$B-3", 5) },
      after => sub { delete $_[0]{answered}{request(13)} });

finds('an event beyond the end',
      [ "beyond: $A: 6, the end is 5" ],
      messages => { 'A-6' => event("$A-6", 6) });

finds('a mark beyond the end',
      [ "beyond: $A: 7, the end is 5" ],
      messages => { 'A-m2' => mark($A, 2, 'running', 7) });

finds('a generation that did not end',
      [ "open: $B up to 3" ],
      messages => { 'B-m0' => undef });

finds('a generation known from the access log only',
      [ 'incomplete: 00000000000000cc-1 is logged, nothing is in Kafka',
        'open: 00000000000000cc up to 0' ],
      after => sub { $_[0]->logged('00000000000000cc-1', request(99)) });

finds('two ends that agree', [],
      messages => { 'A-m0' => mark($A, 0, 'adopted', 5) });

finds('two ends that disagree',
      [ "ends: $A: adopted 4, 0 dropped, closed 5, 0 dropped",
        "beyond: $A: 5, the end is 4", "beyond: $A: 5, the end is 4" ],
      messages => { 'A-m0' => mark($A, 0, 'adopted', 4) });

finds('an event was dropped',
      [ "dropped: $A: 1" ],
      messages => { 'A-m3' => mark($A, 3, 'closed', 5, dropped => 1) });

finds('a mark is written again', [],
      more => [ [ 1, $B, mark($B, 0, 'adopted', 3,
                              time => '2026-11-22T10:00:09.000Z') ] ]);

finds('a mark is written again and tells something else',
      [ "bodies: $B-m0: adopted 3 0; adopted 4 0" ],
      more => [ [ 1, $B, mark($B, 0, 'adopted', 4) ] ]);

finds('a message with another key',
      [ "malformed: 0 $B " . event("$A-5", 5) ],
      more => [ [ 0, $B, event("$A-5", 5) ] ]);

finds('a message in another partition',
      [ "malformed: 2 $A " . event("$A-5", 5) ],
      more => [ [ 2, $A, event("$A-5", 5) ] ]);

finds('a message that is no event',
      [ "malformed: 0 $A {}" ], more => [ [ 0, $A, '{}' ] ]);

finds('the access log shows the id of another request',
      [ "incomplete: $B-2 is logged as " . request(13) ],
      after => sub { $_[0]->logged("$B-2", request(13)) });

finds('a metered request without an id in the access log',
      [ 'incomplete: ' . request(50) . ' is logged as "-"' ],
      after => sub { $_[0]->logged('-', request(50)) });

finds('an uncertain end without a power cut',
      [ "recovered: $B" ],
      messages => { 'B-m0' => mark($B, 0, 'recovered', 3) });

finds('after a power cut what may be lost is', [],
      new => { power => 1 },
      messages => { 'B-1' => undef, 'B-2' => undef,
                    'B-m0' => mark($B, 0, 'recovered', 3) },
      after => sub { $_[0]->may_lose("$B-1", request(11), request(12)) });

finds('and what was sent before it was synced is there', [],
      new => { power => 1 },
      messages => { 'B-m0' => mark($B, 0, 'recovered', 1) });

finds('and nothing else',
      [ 'lost: ' . request(12) . ' reached' ],
      new => { power => 1 },
      messages => { 'B-1' => undef, 'B-2' => undef,
                    'B-m0' => mark($B, 0, 'recovered', 3) },
      after => sub { $_[0]->may_lose("$B-1", request(11)) });

finds('in closed generations nothing is',
      [ 'lost: ' . request(5) . ' answered',
        "incomplete: $A-5 is logged, nothing is in Kafka", "gap: $A-5" ],
      new => { power => 1 }, messages => { 'A-5' => undef });

done_testing();
