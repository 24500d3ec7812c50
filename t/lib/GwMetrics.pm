# Copyright (C) The nginx gateway modules authors

# What tests of pages of metrics share.
#
#     wrong_page(PAGE)
#
# is "" if Prometheus can read the page, else what is wrong with it.
#
#     --- response_body_filters eval
#     page_lines(REGEX)
#
# leaves of a page the lines whose names match, or says what is wrong with it;
# what is no page stays as it is.

package GwMetrics;

use strict;
use warnings;

use Exporter;


our @ISA = qw(Exporter);

our @EXPORT = qw(page_lines wrong_page);


# also for what is evaluated in sections of blocks

sub import {
    GwMetrics->export_to_level(1, @_);
    GwMetrics->Exporter::export('Test::Base::Filter');
}


sub wrong_page {
    my $page = shift;

    my (%families, %samples, %last, $name, $type);

    return 'the last line does not end' if $page !~ /\n\z/;

    for (split /\n/, $page) {

        if (/\A# HELP (gw_[a-z_]+) \S/) {
            return "family twice: $_" if $families{$1}++;
            ($name, $type) = ($1, undef);
            next;
        }

        if (/\A# TYPE (\w+) (counter|gauge|histogram)\z/) {
            return "TYPE without HELP: $_" if $1 ne ($name // '') || $type;
            $type = $2;
            return "name: $_"
                if ($type eq 'counter') != ($name =~ /_total\z/ ? 1 : 0);
            next;
        }

        my $suffix = ($type // '') eq 'histogram' ? '(_bucket|_sum|_count)'
                                                  : '()';
        my $label = qr/[a-z_]+="(?:[^"\\\n]|\\["\\n])*"/;

        my $sample = qr/$suffix(?:\{($label(?:,$label)*)\})? (\d+(?:\.\d+)?)/;

        return "not a sample: $_" if !defined $type || !/\A$name$sample\z/;

        my ($part, $labels, $value) = ($1, $2 // '', $3);

        return "twice: $_" if $samples{"$name$part\{$labels\}"}++;

        next if $type ne 'histogram';

        my $le = $labels =~ s/,?le="([^"]*)"// ? $1 : undef;
        my $series = $last{"$name\{$labels\}"} //= { le => 0, value => 0 };

        if ($part eq '_bucket') {
            return "bucket without le: $_" if !defined $le;
            $le = 9 ** 99 if $le eq '+Inf';
            return "le does not ascend: $_" if $le <= $series->{le};
            return "less than before: $_" if $value < $series->{value};
            @$series{qw(le value)} = ($le, $value);
            next;
        }

        return "without +Inf: $_" if $series->{le} != 9 ** 99;
        return "not the last bucket: $_"
            if $part eq '_count' && $value != $series->{value};
    }

    return '';
}


sub page_lines {
    my $name = shift;

    return sub {
        my $body = shift;

        return $body if $body !~ /\A# HELP/;

        my $wrong = wrong_page($body);

        return $wrong ? "$wrong\n"
                      : CORE::join '', map { "$_\n" } grep { /\A$name\b/ }
                                       split /\n/, $body;
    };
}


1;
