package GWKafka;

# Copyright (C) The nginx gateway modules authors

# A cluster of real brokers, or one that wants TLS and a password, as a
# GWTest::Server (tools/kafka.sh), and what Kafka has of the events.
#
#   my $kafka = GWKafka->new('kafka-cluster');
#
#   ->brokers           the list for clients
#   ->node(ID)          of a cluster, as a GWTest::Server of its own
#   ->leaders           who leads which partition of gw.usage: PARTITION => ID
#   ->wait_well         until each partition has all its replicas in sync
#   ->password          of kafka-tls
#   ->settings          directives for nginx, to reach it
#
#   copies($kafka, @ids)
#       waits until all these events are there, or for long, and returns what
#       Kafka has of their generations: { ID => [TEXT, ...] }
#
#   problems($kafka, $gw)
#       what is wrong with the events of the requests in the access log:
#       nothing if each has its event, with a content that is the same in all
#       of its copies, and if no sequence is missing.  Notes how many copies
#       there are.

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP;
use Test::More ();

use GWE2E;
use GWTest;

our @ISA = qw(GWTest::Server);
our @EXPORT = qw(copies problems);

my $json = JSON::PP->new->utf8;


sub brokers {
    my ($self) = @_;

    my @nodes = map { $self->node($_) } $self->ids;

    return join ',', map { $_->address } @nodes ? @nodes : $self;
}


sub ids {
    my ($self) = @_;

    return map { m{/(\d)\z} } glob "$self->{dir}/[0-9]";
}


sub node {
    my ($self, $id) = @_;

    my $dir = "$self->{dir}/$id";

    chomp(my $port = GWTest::slurp("$dir/port"));

    return bless { kind => 'kafka-node', dir => $dir, port => $port },
                 'GWTest::Server';
}


sub password {
    my ($self) = @_;

    chomp(my $password = GWTest::slurp("$self->{dir}/password"));

    return $password;
}


sub properties {
    my ($self) = @_;

    return if $self->kind ne 'kafka-tls';

    return ('security.protocol' => 'sasl_ssl',
            'ssl.ca.location' => "$self->{dir}/tls/ca.pem",
            'sasl.mechanism' => 'PLAIN', 'sasl.username' => 'gateway',
            'sasl.password' => $self->password);
}


sub settings {
    my ($self) = @_;

    my @properties = $self->properties;
    my $text = 'gw_usage_kafka ' . $self->brokers . ' topic=gw.usage;';

    while (my ($name, $value) = splice @properties, 0, 2) {
        $text .= " gw_usage_kafka_set $name $value;";
    }

    return $text;
}


sub kcat {
    my ($self, @args) = @_;

    my @properties = $self->properties;

    while (my ($name, $value) = splice @properties, 0, 2) {
        push @args, '-X', "$name=$value";
    }

    # what it says of nodes that are down is no news

    open(my $fh, '-|', 'sh', '-c', 'exec timeout 30 kcat "$@" 2> /dev/null',
         'sh', '-b', $self->brokers, @args)
        or die "kcat: $!\n";

    chomp(my @lines = <$fh>);
    close $fh;

    return @lines;
}


sub leaders {
    my ($self) = @_;

    return map { /partition (\d+), leader (\d+)/ } $self->metadata;
}


sub metadata {
    my ($self) = @_;

    return $self->kcat('-L', '-m', 20, '-t', 'gw.usage');
}


sub wait_well {
    my ($self) = @_;

    wait_for(sub {
        my @partitions = grep { /partition \d+, leader/ } $self->metadata;

        return @partitions
               && !grep { !/leader \d.*isrs: \d,\d,\d/ } @partitions;
    }, 'all replicas in sync', 120);
}


sub copies {
    my ($kafka, @ids) = @_;

    my %ours = map { /\A(.*)-/ => 1 } @ids;
    my %copies;

    eval {
        wait_for(sub {
            %copies = ();

            for ($kafka->kcat('-C', '-q', '-e', '-m', 20, '-t', 'gw.usage',
                              '-o', 'beginning', '-f', '%k\t%s\n'))
            {
                my ($generation, $text) = split /\t/, $_, 2;

                push @{$copies{$1}}, $text
                    if $ours{$generation} && $text =~ /"id":"([^"]+)"/;
            }

            return !grep { !$copies{$_} } @ids;
        }, 'all events in Kafka', 120);

        1;
    } or Test::More::diag($@);

    return \%copies;
}


sub problems {
    my ($kafka, $gw) = @_;

    my @ids = grep { $_ ne '-' } map { $_->{usage} } requests_in($gw, 0);
    my $copies = copies($kafka, @ids);
    my %wanted = map { $_ => 1 } @ids;
    my (%last, @problems);

    # marks have no sequence

    my @found = grep { /-\d+\z/ } sort keys %$copies;

    for my $id (@found) {
        my @texts = @{$copies->{$id}};
        my ($generation, $sequence) = $id =~ /\A(.*)-(\d+)\z/;

        push @problems, "no request has the id $id" if !$wanted{$id};
        push @problems, "copies of $id differ"
            if grep { $_ ne $texts[0] } @texts;
        push @problems, "of another type: $texts[0]"
            if $json->decode($texts[0])->{type} ne 'gw.usage.v1';

        $last{$generation} = $sequence
            if $sequence > ($last{$generation} || 0);
    }

    Test::More::note(@found . ' events, '
                     . (map { @{$copies->{$_}} } @found) . ' messages');

    for my $generation (sort keys %last) {
        push @problems, map { "a gap: $generation-$_" }
                        grep { !$copies->{"$generation-$_"} }
                        1 .. $last{$generation};
    }

    return @problems, map { "no event $_" } grep { !$copies->{$_} } @ids;
}


1;
