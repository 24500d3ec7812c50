# Copyright (C) The nginx gateway modules authors

# Usage events with hostile strings satisfy docs/usage-event.schema.json, and
# what OpenMeter asks for, in the eyes of an independent validator; which
# refuses all that is slightly different.

use strict;
use warnings;

use lib 't/lib';

use JSON::PP;
use Test::More;

use GWTest qw(run_dir);


my $json = JSON::PP->new->utf8->canonical->allow_nonref;

my $dir = run_dir();
my $make = "$dir/make_events";
my $validate = 't/lib/validate_events.py';


sub validate {
    my ($text) = @_;

    my $file = "$dir/events.txt";

    open(my $fh, '>:raw', $file) or die "$file: $!\n";
    print $fh $text;
    close $fh or die "$file: $!\n";

    my $out = `/usr/bin/python3 $validate '$file' 2>&1`;

    return ($? == 0, $out);
}


# an event of the type, changed by a sub that gets it and its data

sub changed {
    my ($type, $change) = @_;

    my %common = (
        specversion => '1.0',
        id => '24d47d2ea64f3918-17',
        source => 'gw1',
        type => "gw.usage.$type",
        subject => 'alice',
        time => '2026-11-05T12:34:56.789Z',
        datacontenttype => 'application/json',
    );

    my %usage = (
        api => 'orders', method => 'GET', status => 200, tier => 'gold',
        units => 0, bytes_in => 310, bytes_out => 4096, duration_ms => 12,
        upstream_ms => 9, limited => JSON::PP::false,
        degraded => JSON::PP::false, request_id => 'c719243c44ecf64d',
    );

    my $event = {
        'v1' => { %common, data => { %usage } },
        'interim.v1' => { %common, data => { %usage } },
        'unfinished.v1' => { %common, data => {
            api => 'orders', units => 0, request_id => 'c719243c44ecf64d',
            start => $common{time},
        } },
        'mark.v1' => { %common, id => '24d47d2ea64f3918-m3', data => {
            state => 'running', generation => '24d47d2ea64f3918',
            sequence => 17, dropped => 2,
        } },
    }->{$type};

    delete $event->{subject} if $type eq 'mark.v1';

    $change->($event, $event->{data});

    return $json->encode($event);
}


# cases, one per line of what is validated at the end

my @cases;


sub accepted {
    my ($title, $type, $change) = @_;

    push @cases, { title => "accepted: $title",
                   text => changed($type, $change) };
}


# where or why is found in what the validator says

sub refused {
    my ($title, $type, $change, $why) = @_;

    push @cases, { title => "refused: $title", text => changed($type, $change),
                   why => $why // qr/./ };
}


sub refused_text {
    my ($title, $text, $why) = @_;

    push @cases, { title => "refused: $title", text => $text,
                   why => $why // qr/^event: / };
}


my @compile = ($ENV{CC} || 'cc', qw(-g -O1 -Isrc),
               '-fsanitize=address,undefined', '-fno-sanitize-recover=all',
               '-o', $make,
               qw(t/lib/make_events.c src/gw_usage.c src/gw_usage_text.c));

is(system(@compile), 0, 'make_events is compiled')
    or BAIL_OUT('no generator');


# the whole truth about one event of each type

my @types = qw(v1 interim.v1 unfinished.v1 mark.v1);

accepted($_, $_, sub { }) for @types;


# what the generator prints

for my $seed (1 .. 4) {
    my $events = `'$make' $seed 2000`;

    is($?, 0, "events of seed $seed are written");

    my ($ok, $out) = validate($events);

    ok($ok, "events of seed $seed are accepted") or diag($out);
    like($out, qr/^2000[ ]events[ ]gw\.usage\.interim\.v1=\d+
                  [ ]gw\.usage\.mark\.v1=250
                  [ ]gw\.usage\.unfinished\.v1=250
                  [ ]gw\.usage\.v1=\d{3,}$/mx, "of all types");
}


# one bad byte is seen among many events

my @lines = split /\n/, `'$make' 5 100`;

ok($lines[41] =~ s/"source":"/"source":"\xff/, 'a bad byte in the 42nd event');

my ($ok, $out) = validate(join '', map { "$_\n" } @lines);

ok(!$ok && $out =~ /\A42: event: .*\n99 events /, 'is found')
    or diag($out);

($ok, $out) = validate('');

ok(!$ok, 'no event is not enough');


# not JSON, or not all parsers would read the same

refused_text('an empty line', '');
refused_text('half an event', '{"specversion":"1.0"');
refused_text('two in a line', '{} {}');
refused_text('no object', '[]');
refused_text('a doubled member',
             changed('v1', sub { }) =~ s/"api":/"api":"other","api":/r);
refused_text('NaN', changed('v1', sub { }) =~ s/"units":0/"units":NaN/r);
refused_text('a byte order mark', "\xef\xbb\xbf" . changed('v1', sub { }));
refused_text('half of a surrogate pair',
             changed('v1', sub { }) =~ s/orders/\\ud800/r);
refused_text('a surrogate as bytes',
             changed('v1', sub { }) =~ s/orders/\xed\xa0\x80/r);
refused_text('a raw control character',
             changed('v1', sub { }) =~ s/orders/or\tders/r);


# no member may be missing, be something else, or be one more

for my $type (@types) {
    my $event = $json->decode(changed($type, sub { }));

    for my $name (sort keys %$event) {

        if ($name eq 'subject') {
            accepted("$type without subject", $type,
                     sub { delete $_[0]{subject} });
        } else {
            refused("$type without $name", $type,
                    sub { delete $_[0]{$name} }, qr/'$name' is a required/);
        }

        for my $value ([], undef, '') {
            refused("$type, $name " . $json->encode($value), $type,
                    sub { $_[0]{$name} = $value }, qr/^$name: /m);
        }
    }

    for my $name (sort keys %{$event->{data}}) {
        refused("$type without data.$name", $type,
                sub { delete $_[1]{$name} }, qr/'$name' is a required/);

        for my $value ([], '') {
            refused("$type, data.$name " . $json->encode($value), $type,
                    sub { $_[1]{$name} = $value }, qr/^data\.$name: /m);
        }

        my $null = $name =~ /\A(api|method|tier|request_id|upstream_ms)\z/
                   ? \&accepted : \&refused;

        $null->("$type, data.$name null", $type,
                sub { $_[1]{$name} = undef }, qr/^data\.$name: /m);

        if (JSON::PP::is_bool($event->{data}{$name})) {
            refused("$type, data.$name a number", $type,
                    sub { $_[1]{$name} = 1 }, qr/^data\.$name: /m);

        } elsif ($event->{data}{$name} =~ /\A\d+\z/) {

            for my $value (-1, 1.5, '1') {
                refused("$type, data.$name " . $json->encode($value), $type,
                        sub { $_[1]{$name} = $value }, qr/^data\.$name: /m);
            }
        }
    }

    refused("$type with one more member", $type, sub { $_[0]{more} = 'x' });
    refused("$type with another type", $type,
            sub { $_[0]{type} = 'gw.usage.v2' });
    refused("$type of CloudEvents 0.3", $type,
            sub { $_[0]{specversion} = '0.3' });
    refused("$type in XML", $type,
            sub { $_[0]{datacontenttype} = 'text/xml' });
    refused("$type, a source that is no URI", $type,
            sub { $_[0]{source} = 'gw 1' });
    refused("$type, a source that begins like one", $type,
            sub { $_[0]{source} = '1:gw' });

    for my $id ('24d47d2ea64f391-17', '24D47D2EA64F3918-17',
                '24d47d2ea64f3918', '24d47d2ea64f3918-', 'x-1',
                '24d47d2ea64f3918-017', '24d47d2ea64f3918-1x',
                '24d47d2ea64f3918-' . '9' x 20, ' 24d47d2ea64f3918-1',
                $type eq 'mark.v1' ? '24d47d2ea64f3918-17'
                                   : '24d47d2ea64f3918-m17',
                $type eq 'mark.v1' ? '24d47d2ea64f3918-m01'
                                   : '24d47d2ea64f3918-0')
    {
        refused("$type, id \"$id\"", $type, sub { $_[0]{id} = $id },
                qr/^id: /m);
    }

    for my $time ('2026-11-05T12:34:56Z', '2026-11-05 12:34:56.789Z',
                  '2026-11-05T12:34:56.789', '2026-11-05T12:34:56.789+00:00',
                  '2026-02-30T12:34:56.789Z', '2026-11-05T24:34:56.789Z',
                  '2026-11-05T12:34:56.7890Z', 1793882096)
    {
        refused("$type, time \"$time\"", $type, sub { $_[0]{time} = $time },
                qr/^time: /m);
    }
}


# fields may be members of usage alone

for my $type (qw(v1 interim.v1)) {
    accepted("$type with fields", $type,
             sub { @{$_[1]}{qw(model _x9 Api)} = ('m', undef, 'y') });
    refused("$type, a field that is a number", $type,
            sub { $_[1]{model} = 7 });
    refused("$type, an empty field", $type, sub { $_[1]{model} = '' });
    refused("$type, the name of a field", $type, sub { $_[1]{'a-b'} = 'x' });
    refused("$type, a long name", $type, sub { $_[1]{'a' x 65} = 'x' });
    refused("$type, a long field", $type, sub { $_[1]{a} = 'x' x 1025 });
    refused("$type, 33 fields", $type,
            sub { $_[1]{"f$_"} = undef for 1 .. 33 });
}

for my $type (qw(unfinished.v1 mark.v1)) {
    refused("$type with a field", $type, sub { $_[1]{model} = 'm' });
}


# limits, and what belongs together

my %longest = (api => 128, method => 32, tier => 128, request_id => 64);

accepted('the shortest', 'v1', sub {
    my ($event, $data) = @_;

    $event->{$_} = 'x' for qw(source subject);
    $data->{$_} = 'x' for keys %longest, 'field';
    $data->{$_} = 0
        for qw(status bytes_in bytes_out duration_ms upstream_ms);
});

accepted('the longest', 'v1', sub {
    my ($event, $data) = @_;

    $event->{source} = 'x' x 255;
    $event->{subject} = 'x' x 512;
    $data->{$_} = 'x' x $longest{$_} for keys %longest;
    $data->{"f$_"} = 'x' x 1024 for 1 .. 32;
    $data->{status} = 999;
});

for my $name (sort keys %longest) {
    refused("$name too long", 'v1',
            sub { $_[1]{$name} = 'x' x ($longest{$name} + 1) },
            qr/^data\.$name: /m);
}

refused('source too long', 'v1', sub { $_[0]{source} = 'x' x 256 });
refused('subject too long', 'v1', sub { $_[0]{subject} = 'x' x 513 });
refused('status 1000', 'v1', sub { $_[1]{status} = 1000 });
accepted('the most bytes', 'v1',
         sub { $_[1]{bytes_out} = 18446744073709551615 });
refused_text('more than there can be',
             changed('v1', sub { }) =~ s/4096/18446744073709551616/r,
             qr/^data\.bytes_out: /);
accepted('the most units', 'v1', sub { $_[1]{units} = 9007199254740991 });
refused('too many units', 'v1', sub { $_[1]{units} = 9007199254740992 });
refused('units of an interim event', 'interim.v1', sub { $_[1]{units} = 1 });
refused('units of an unfinished one', 'unfinished.v1',
        sub { $_[1]{units} = 1 });
refused('an unfinished one that ends', 'unfinished.v1',
        sub { $_[1]{start} = '2026-11-05T12:34:56.788Z' });

accepted("a mark: $_", 'mark.v1', do { my $s = $_; sub { $_[1]{state} = $s } })
    for qw(open closed adopted recovered);

refused('a mark with a subject', 'mark.v1', sub { $_[0]{subject} = 'alice' });
refused('a mark of nothing', 'mark.v1', sub { $_[1]{state} = 'done' });
refused('a mark of another generation', 'mark.v1',
        sub { $_[1]{generation} = '24d47d2ea64f3919' });
refused('more dropped than given out', 'mark.v1',
        sub { $_[1]{dropped} = 18 });
refused('OpenMeter: time 0', 'v1',
        sub { $_[0]{time} = '1970-01-01T00:00:00.000Z' });
accepted('not for OpenMeter: time 0', 'v1', sub {
    delete $_[0]{subject};
    $_[0]{time} = '1970-01-01T00:00:00.000Z';
});

my ($good, %said) = (scalar grep { !$_->{why} } @cases);

($ok, $out) = validate(join '', map { "$_->{text}\n" } @cases);

push @{$said{$1}}, $2 while $out =~ /^(\d+): (.*)$/mg;

for my $i (1 .. @cases) {
    my $case = $cases[$i - 1];
    my $said = join "\n", @{$said{$i} || []};

    ok($case->{why} ? $said =~ $case->{why} : $said eq '', $case->{title})
        or diag($said);
}

ok(!$ok && $out =~ /^$good events /m, "$good events accepted") or diag($out);

done_testing();
