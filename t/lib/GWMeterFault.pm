package GWMeterFault;

# Copyright (C) The nginx gateway modules authors

# A GWMeter around which things fail, and the proof where a case documents a
# loss: then it is counted, and everywhere by the same number.
#
#     my $meter = GWMeterFault->new(kafka => $kafka, disk => '1m');
#
# More arguments: disk => SIZE, memory => SIZE have the journal, or its tails,
# on a tmpfs of that size (if can_mount()); faults => 1 puts t/lib/faults.c
# between nginx and the disk, clock => 1 t/lib/clock.c between it and its
# clocks; topic => { NAME => VALUE } makes the topic with this configuration
# (a real Kafka); server => TEXT goes into the server block, locations => TEXT
# before the others.
#
#     ->fault(CALL => ERROR)   by name, "EIO", or as these two have it, "hang";
#                              none ends it
#     ->fault(CALL => ERROR, OFFSET, FILE)
#     ->hung                   a call hangs, since a fault was set
#     ->control                the folder where faults are
#     ->metric(NAME)           gw_usage_NAME, now
#     ->metrics_are(NAME => N, ...)   waits for it, false if in vain
#     ->tool(COMMAND, ARGS)    what gw-journal prints, and its exit status
#     ->logged_times(REGEX)    of lines of the error log, in seconds
#     ->change_topic(NAME => VALUE)
#     ->aside(KIND)            names of files that were put aside: "bad",
#                              "dead", "kept"; they are no part of ->files
#     ->losses($proof)         { dropped => by marks, ids => { those without
#                              an event }, others => [ problems ] }
#
# compiled(NAME, FLAGS) is the path of t/lib/NAME.c as a program, or of the
# library for NAME.so.

use strict;
use warnings;

use Errno ();
use Exporter qw(import);
use Test::More ();

use GWMeter;
use GWTest;

our @ISA = qw(GWMeter);
our @EXPORT_OK = qw(can_mount compiled);

my $number = 0;


sub can_mount {
    return 0 if $> != 0;

    my $dir = run_dir() . '/can-mount';

    mkdir $dir;

    my $rc = system("mount -t tmpfs -o size=64k none '$dir' 2> /dev/null");

    system('umount', $dir) if $rc == 0;

    return $rc == 0;
}


sub compiled {
    my ($name, @flags) = @_;

    my $file = run_dir() . "/$name";

    return $file if -e $file;

    system($ENV{CC} || 'cc', '-O1', '-o', $file,
           "$GWTest::ROOT/t/lib/" . ($name =~ s/\.so\z//r) . '.c', @flags) == 0
        or die "cannot compile $name\n";

    return $file;
}


sub new {
    my ($class, %arg) = @_;

    my $name = $arg{name} // 'fault' . ++$number;
    my $dir = run_dir() . "/$name";
    my $topic = "gw.usage.$name.$$";
    my $edit = $arg{edit};

    topic($arg{kafka}, 'create', $topic, 2, pairs(%{$arg{topic}}))
        if $arg{topic};

    preload(\%arg, $name) if $arg{faults} || $arg{clock};

    $arg{edit} = sub {
        my ($server, $locations) = map { $_ // '' } @arg{qw(server locations)};

        $locations .= metrics();
        s/^(        add_header .*\n)/$1$server\n/m;
        s/^(?=        location = \/no )/$locations/m;
        $edit->() if $edit;
    };

    my $self = $class->SUPER::new(%arg, name => $name, start => 0);

    $self->{control} = $arg{control};

    mount($self->journal, $arg{disk}) if $arg{disk};
    mount($self->tails, $arg{memory}) if $arg{memory};

    $self->start if $arg{start} // 1;

    return $self;
}


sub preload {
    my ($arg, $name) = @_;

    my @libraries = map { compiled("$_.so", '-shared', '-fPIC', '-ldl') }
                    grep { $arg->{$_} } qw(faults clock);

    $arg->{control} = run_dir() . "/$name-faults";

    mkdir $arg->{control};
    chmod 0777, $arg->{control};

    $arg->{env} = {
        %{$arg->{env} || {}},
        LD_PRELOAD => join(':', @libraries),
        CLOCK => $arg->{control},
        FAULTS => $arg->{control},
        FAULTS_OF => run_dir() . "/$name/journal",
        ASAN_OPTIONS => ($ENV{ASAN_OPTIONS} // '')
                        . ',verify_asan_link_order=0',
    };
}


sub metrics {
    return <<'END';
        location = /metrics {
            gw_usage    off;
            access_log  off;
            gw_metrics;
        }

END
}


# lazy: it goes when nginx is gone

sub mount {
    my ($dir, $size) = @_;

    -d $dir or mkdir $dir or die "$dir: $!\n";

    system('mount', '-t', 'tmpfs', '-o', "size=$size,mode=755", 'none',
           $dir) == 0
        or die "cannot mount\n";

    GWTest::started(bless { dir => $dir }, 'GWMeterFault::Mount');
}


sub pairs {
    my %config = @_;

    return map { "$_=$config{$_}" } sort keys %config;
}


sub topic {
    my ($kafka, @args) = @_;

    system(compiled('topic', '-lrdkafka'), $kafka->address, @args) == 0
        or die "no topic\n";
}


sub change_topic {
    my ($self, %config) = @_;

    topic($self->{kafka}, 'change', $self->{topic}, pairs(%config));
}


sub fault {
    my ($self, $call, $error, @where) = @_;

    my $file = "$self->{control}/$call";

    unlink "$self->{control}/hung";

    if (!defined $error) {
        unlink $file;
        return;
    }

    $error = Errno->can($error)->() if $error =~ /\AE/;

    # it is there as a whole, and nginx may write to "log"

    open(my $fh, '>', "$file.new") or die "$file: $!\n";
    print $fh join(' ', $error, @where);
    close($fh);
    chmod 0666, "$file.new";
    rename("$file.new", $file) or die "$file: $!\n";
}


sub hung {
    my ($self) = @_;

    return -e "$self->{control}/hung";
}


sub control { $_[0]{control} }


sub metric {
    my ($self, $name) = @_;

    my ($value) = ($self->get('/metrics')->{body} // '')
                  =~ /^gw_usage_$name (\d+)$/m;

    return $value // die "no metric $name\n";
}


sub metrics_are {
    my ($self, %want) = @_;

    my %got;

    my $ok = eval {
        wait_for(sub {
            $got{$_} = $self->metric($_) for keys %want;
            !grep { $got{$_} != $want{$_} } keys %want;
        }, 'metrics', 120);
    };

    Test::More::diag(join ', ', map { "$_ is $got{$_}, not $want{$_}" }
                                sort keys %want) if !$ok;

    return $ok;
}


sub tool {
    my ($self, $command, @args) = @_;

    my $bin = $ENV{TEST_NGINX_BIN} || GWTest::build_dir() . '/bin';

    open(my $out, '-|', "$bin/gw-journal", $command, $self->journal,
         '--tail', $self->tails, @args) or die "gw-journal: $!\n";

    my $said = do { local $/; <$out> } // '';

    close($out);

    return ($said, $? >> 8);
}


sub files {
    my ($self) = @_;

    return grep { !/\.(?:bad|dead|kept)\z/ } $self->SUPER::files;
}


sub aside {
    my ($self, $kind) = @_;

    return map { m{([^/]+)\z} } glob "$self->{journal}/*.$kind";
}


sub logged_times {
    my ($self, $pattern) = @_;

    return map { m{ (\d\d):(\d\d):(\d\d) } ? $1 * 3600 + $2 * 60 + $3 : () }
           grep { /$pattern/ } split /\n/, $self->error_log;
}


# a request that was refused has no event, and needs none

sub prove {
    my ($self, $proof) = @_;

    $self->{reader}->read_to_end($proof);

    for (map { $_->requests } @{$self->{traffics}}) {
        my ($how, $request, $kind, $status) = @$_;

        next if $how ne 'answered';

        if ($kind eq 'no' || $status == 503) {
            $proof->rejected($request);

        } else {
            $proof->answered($request);
        }
    }

    $proof->reached($_) for $self->{upstream}->requests;

    for (split /\n/, $self->access_log) {
        my ($id, $request, $status) = split / /;

        $proof->logged($id, $request)
            if $id ne '-' || ($status != 400 && $status != 503);
    }

    return $proof;
}


# What the marks call dropped, and what is missing in Kafka.  Whoever tells of
# a request that is missing has to tell of one of those.

sub losses {
    my ($self, $proof) = @_;

    my ($dropped, %gaps, @others, @told) = (0);

    for ($proof->problems) {
        if (/\Adropped: [0-9a-f]+: (\d+)\z/) {
            $dropped += $1;

        } elsif (/\Agap: (\S+)\z/) {
            $gaps{$1} = 1;

        } else {
            push @told, $_;
        }
    }

    my %id = map { (split / /)[1, 0] } split /\n/, $self->access_log;

    for (@told) {
        my $id = /\Aincomplete: (\S+) is logged, nothing is in Kafka\z/ ? $1
                 : /\Alost: (\S+) / ? $id{$1} : undef;

        push @others, $_ if !defined $id || !$gaps{$id};
    }

    return { dropped => $dropped, ids => \%gaps, others => \@others };
}


package GWMeterFault::Mount;


sub stop {
    my ($self) = @_;

    system("umount -l '$self->{dir}' 2> /dev/null");
}


1;
