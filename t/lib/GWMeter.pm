package GWMeter;

# Copyright (C) The nginx gateway modules authors

# A gateway that meters, a topic of its own in a real Kafka or its mock, and
# what tests of the journal do with them: let processes die, wait until all is
# drained, and prove that nothing is lost.
#
#     my $meter = GWMeter->new(kafka => broker(), workers => 4,
#                              journal => 'sync=50ms', traffic => {...});
#     my $traffic = $meter->traffic(rate => 500, n => 24, seed => 1);
#
#     $meter->kill_workers(KILL => ($meter->workers)[0]);
#     $meter->kill_all('KILL');        # the master, too
#     $meter->start;
#
#     my $proof = $meter->finish;      # ends the traffic, then nginx
#     is_deeply([ $proof->problems ], []);
#
# It is a GWTest::Gateway, the arguments of which it takes as well.  More of
# its own: listen => 'reuseport', main => TEXT and http => TEXT of the
# configuration, env => { NAME => VALUE } for nginx.
#
#     ->journal ->tails   folders; DIR of the journal and tail=
#     ->files             names of what is left in them, but for the lock
#     ->generations       those that have files, { GENERATION => owned }
#     ->survivors         processes of this nginx, whoever their parent is
#     ->trouble           as that of a gateway, but for what the master says
#                         of those that kill_workers() or kill_all() killed
#     ->workers_started   how often a worker was started, by the error log
#     ->workers_of($pid)  workers of another master
#     ->steady            waits for all workers, and no one else
#     ->wait_drained      waits until there are only those of the workers
#     ->stop_empty        ends nginx, and starts it once more until nothing is
#                         left; ->rounds tells how often
#     ->set_workers($n)   changes worker_processes by a reload
#     ->single(1)         from the next start on it is one process
#     ->prove($proof)     gives it what clients, the upstream, the access log,
#                         and Kafka know; reads Kafka until it has everything
#                         that was sent before

use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(time);

use GWMeterProof;
use GWMeterTraffic;
use GWTest;

our @ISA = ('GWTest::Gateway');

my $number = 0;


sub new {
    my ($class, %arg) = @_;

    my $name = $arg{name} // 'meter' . ++$number;
    my $dir = run_dir() . "/$name";
    my $tails = "/dev/shm/gw-test-$$-$name";

    mkdir $tails or die "$tails: $!\n";

    my $owner = bless { dir => $tails }, 'GWMeter::Folder';

    GWTest::started($owner);

    my %own = (
        journal => "$dir/journal",
        tails => $tails,
        topic => "gw.usage.$name.$$",
        kafka => $arg{kafka},
        upstream => GWMeterTraffic::Upstream->new,
        traffics => [],
        rounds => 0,
    );

    # the topic, with all its partitions

    produce(\%own, undef, 'begin');

    $own{reader} = GWMeter::Reader->new(\%own);

    my $self = $class->SUPER::new(%arg, name => $name, start => 0,
                                  upstream => $own{upstream},
                                  conf => conf(\%own, %arg));

    %$self = (%$self, %own, expect => $arg{workers} // 2);

    mkdir "$dir/html" or die "$dir/html: $!\n";
    GWTest::write_file("$name/html/here", "here\n");

    $self->start if $arg{start} // 1;

    return $self;
}


sub conf {
    my ($own, %arg) = @_;

    my $workers = $arg{workers} // 2;
    my $journal = $arg{journal} // '';
    my $listen = $arg{listen} // '';
    my ($main, $http) = map { $_ // '' } @arg{qw(main http)};

    return <<"END";
load_module  modules/ngx_http_gw_usage_module.so;

user              www-data;
worker_processes  $workers;
pid               /run/nginx.pid;
error_log         /var/log/nginx/error.log notice;
$main

events {
    worker_connections  512;
}

http {
    log_format  proof  '\$gw_usage_id \$request_id \$status \$msec \$pid';

    access_log          /var/log/nginx/access.log proof;
    keepalive_requests  10000;

    gw_usage_journal  $own->{journal} tail=$own->{tails} $journal;
    gw_usage_kafka    127.0.0.1:9092 topic=$own->{topic};
$http

    # nothing is cached: these are for the helpers, which nginx starts too

    proxy_cache_path  tmp/cache keys_zone=cache:1m;

    upstream up {
        server     127.0.0.1:8081;
        keepalive  16;
    }

    server {
        listen  8080 $listen;

        gw_usage          on;
        gw_usage_api      \$uri;
        gw_usage_subject  alice;
        add_header        X-Request-Id \$request_id always;
        root              html;

        location / {
            proxy_pass          http://up;
            proxy_http_version  1.1;
            proxy_set_header    Connection "";
            proxy_set_header    X-Request-Id \$request_id;
        }

        location = /here {
        }

        location = /no {
            deny  all;
        }
    }
}
END
}


sub journal { $_[0]{journal} }
sub tails   { $_[0]{tails} }
sub rounds  { $_[0]{rounds} }


sub traffic {
    my ($self, %arg) = @_;

    push @{$self->{traffics}},
        GWMeterTraffic->new(port => $self->port, %arg);

    return $self->{traffics}[-1];
}


# a pid file of one that was killed would be taken for that of the new one

sub start {
    my ($self) = @_;

    local %ENV = (%ENV, %{$self->{arg}{env} || {}});

    unlink("$self->{dir}/logs/nginx.pid");

    return $self->start_single if $self->{single};

    $self->SUPER::start;
    $self->steady;

    return $self;
}


# one process, which is its own worker

sub start_single {
    my ($self) = @_;

    my $pid = fork() // die "fork: $!\n";

    if (!$pid) {
        my @cmd = $self->nginx('-g', 'master_process off;');

        open(STDIN, '<', '/dev/null') && exec(@cmd);
        POSIX::_exit(1);
    }

    waitpid($pid, 0);
    $? == 0 or die "nginx does not start as one process\n";

    wait_for(sub {
        ($self->{master}) = GWTest::slurp("$self->{dir}/logs/nginx.pid")
                            =~ /\A(\d+)\n/;
        $self->{master}
            && IO::Socket::INET->new('127.0.0.1:' . $self->port);
    }, 'a single process');

    return $self;
}


sub single {
    my ($self, $single) = @_;

    $self->{single} = $single;
}


# by a reload, without a restart

sub set_workers {
    my ($self, $n) = @_;

    $self->edit(sub { s/^(worker_processes) .*/$1  $n;/m });
    $self->{expect} = $n;

    my @old = $self->workers;

    kill('HUP', $self->master);

    wait_for(sub { !grep { GWTest::Gateway::is_alive($_) } @old },
             'old workers to end', 120);

    return $self->steady;
}


sub steady {
    my ($self) = @_;

    my @workers;

    wait_for(sub {
        @workers = $self->workers;
        @workers == $self->{expect};
    }, "$self->{expect} workers", 120);

    return @workers;
}


# those of another master, of an upgrade

sub workers_of {
    my ($self, $master) = @_;

    local $self->{master} = $master;

    return $self->workers;
}


sub workers_started {
    my ($self) = @_;

    return scalar(() = $self->error_log =~ /: start worker process \d/g);
}


# until a worker has another one in its place

sub kill_workers {
    my ($self, $signal, @pids) = @_;

    $self->killed($signal, @pids);
    kill($signal, @pids);

    wait_for(sub { !grep { GWTest::Gateway::is_alive($_) } @pids },
             "workers to end by $signal", 120);

    return $self->steady;
}


sub kill_all {
    my ($self, $signal) = @_;

    my @pids = ($self->master, $self->workers);

    $self->killed($signal, @pids);

    # in any order

    for (reverse 1 .. $#pids) {
        my $i = int rand($_ + 1);
        @pids[$_, $i] = @pids[$i, $_];
    }

    kill($signal, $_) for @pids;

    # the master may have started one more at this moment

    wait_for(sub {
        my @left = $self->survivors;

        if ($signal eq 'KILL') {
            $self->killed($signal, @left);
            kill('KILL', @left);
        }

        !@left;
    }, "all processes to end by $signal", 120);

    $self->{master} = undef;
}


sub killed {
    my ($self, $signal, @pids) = @_;

    @{$self->{killed}}{@pids} = () if $signal eq 'KILL';
}


# Of processes that were killed here the master tells, if it lives to do so, and
# of those it talks to before it knows.

sub trouble {
    my ($self) = @_;

    my @lines = grep {
        !/ process (\d+) exited on signal 9/ && !/ was locked by (\d+)/
            || !exists $self->{killed}{$1}
    } $self->SUPER::trouble;

    return @lines if !%{$self->{killed} || {}};

    return grep { !/sendmsg\(\) failed \((?:32|104): / } @lines;
}


sub survivors {
    my ($self) = @_;

    my $log = "$self->{dir}/logs/access.log";
    my @pids;

    for my $proc (glob '/proc/[0-9]*') {
        next if GWTest::slurp("$proc/cmdline") !~ m{\A(?:\S*/)?nginx\b}
                || GWTest::slurp("$proc/stat") !~ /\) [^ZX]/;

        push @pids, $proc =~ /(\d+)/
            if grep { (readlink($_) // '') eq $log } glob "$proc/fd/*";
    }

    return @pids;
}


sub files {
    my ($self) = @_;

    my @found = grep { !m{/lock\z} } glob "$self->{journal}/*";

    push @found, glob "$_/*" for glob "$self->{tails}/*/";

    return sort @found;
}


# Each has a lock, which its owner holds.  To look at it by flock() might keep
# another worker from taking it.

sub generations {
    my ($self) = @_;

    my (%held, %found);

    for (split /\n/, GWTest::slurp('/proc/locks')) {
        $held{$1} = 1 if /FLOCK .* [0-9a-f]+:[0-9a-f]+:(\d+) /;
    }

    for my $file ($self->files) {
        my ($dir, $generation)
            = $file =~ m{\A(.*)/([0-9a-f]{16})(?:-\d+)?\.\w+\z} or next;
        my ($inode) = (stat "$self->{journal}/$generation.lock")[1];

        $found{$generation} ||= $inode && $held{$inode} ? 1 : 0;
    }

    return \%found;
}


sub wait_drained {
    my ($self) = @_;

    wait_for(sub {
        my @owned = values %{$self->generations};

        @owned == ($self->{single} ? 1 : $self->{expect})
        && !grep { !$_ } @owned;
    }, 'orphans to be drained', 240);
}


sub finish {
    my ($self, %arg) = @_;

    $_->stop for @{$self->{traffics}};

    $self->stop_empty;

    return $self->prove(GWMeterProof->new(%arg));
}


# what a busy machine did not deliver at the end comes with the next start

sub stop_empty {
    my ($self) = @_;

    for (1 .. 10) {
        $self->wait_drained;
        $self->stop;

        return if !$self->files;

        $self->{rounds}++;
        $self->start;
    }

    $self->stop;
}


sub prove {
    my ($self, $proof) = @_;

    $self->{reader}->read_to_end($proof);

    for (map { $_->requests } @{$self->{traffics}}) {
        my ($how, $request, $kind) = @$_;

        next if $how ne 'answered';

        if ($kind eq 'no') {
            $proof->rejected($request);

        } else {
            $proof->answered($request);
        }
    }

    $proof->reached($_) for $self->{upstream}->requests;

    for (split /\n/, $self->access_log) {
        my ($id, $request, $status) = split / /;

        # what could not be read as a request was no request

        $proof->logged($id, $request) if $id ne '-' || $status != 400;
    }

    return $proof;
}


sub produce {
    my ($own, $partition, $text) = @_;

    my @cmd = ('timeout', 120, 'kcat', '-P', '-t', $own->{topic},
               '-b', $own->{kafka}->address);

    push @cmd, '-p', $partition if defined $partition;

    open(my $fh, '|-', @cmd) or die "kcat: $!\n";
    print $fh "$text\n";
    close($fh) or die "Kafka does not take \"$text\"\n";
}


# What kcat reads, in a file: Kafka's mock keeps some MB only, so that it is
# read all the time.

package GWMeter::Reader;


sub new {
    my ($class, $own) = @_;

    my $self = bless { own => $own, n => 0, ends => 0 }, $class;

    GWTest::started($self);
    $self->start;

    # only then it is certain to have all partitions

    GWTest::wait_for(sub {
        GWTest::slurp($self->{file}) =~ /\tbegin\n/
    }, 'the topic', 120);

    return $self;
}


sub start {
    my ($self) = @_;

    my $own = $self->{own};

    my $file = GWTest::run_dir() . "/$own->{topic}-" . ++$self->{n};

    open(my $out, '>', $file) or die "$file: $!\n";

    $self->{file} = $file;
    $self->{pid} = fork() // die "fork: $!\n";

    return if $self->{pid};

    open(STDOUT, '>&', $out) && open(STDERR, '>', "$file.err")
        && exec('kcat', '-C', '-q', '-u', '-o', 'beginning',
                '-b', $own->{kafka}->address, '-t', $own->{topic},
                '-f', '%p\t%k\t%s\n');
    POSIX::_exit(1);
}


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;

    kill('KILL', $pid);
    waitpid($pid, 0);
}


# it ends with the last of its brokers; Kafka, unlike its mock, has all it had

sub ended {
    my ($self) = @_;

    return waitpid($self->{pid}, POSIX::WNOHANG()) == $self->{pid};
}


sub partitions {
    my ($own) = @_;

    my ($address, $topic) = ($own->{kafka}->address, $own->{topic});
    my $text = `timeout 120 kcat -L -b $address -t $topic`;
    my ($n) = $text =~ /"\Q$topic\E" with (\d+) partitions/
        or die "no partitions: $text\n";

    return $n;
}


# each partition tells that it is over

sub read_to_end {
    my ($self, $proof) = @_;

    my $end = 'end ' . ++$self->{ends};
    my @partitions = 0 .. partitions($self->{own}) - 1;
    my ($fh, %found);

    GWMeter::produce($self->{own}, $_, $end) for @partitions;

    GWTest::wait_for(sub {
        if ($self->ended) {
            $self->start;
            undef $fh;
        }

        if (!$fh) {
            open($fh, '<:raw', $self->{file}) or die "$self->{file}: $!\n";
        }

        seek($fh, 0, 1);

        while (my $line = <$fh>) {

            # the last one may not be complete yet

            if (substr($line, -1) ne "\n") {
                seek($fh, -length $line, 1);
                last;
            }

            $found{$1} = 1 if $line =~ /\A(\d+)\t\t$end\n/;
        }

        return keys %found == @partitions;
    }, 'all of Kafka to be read', 240);

    seek($fh, 0, 0);

    while (my $line = <$fh>) {
        chomp $line;

        my ($partition, $key, $body) = split /\t/, $line, 3;

        $proof->message($partition, $key, $body)
            if $body !~ /\A(?:begin|end \d+)\z/;
    }
}


package GWMeter::Folder;


sub stop {
    my ($self) = @_;

    File::Path::remove_tree($self->{dir});
}


1;
