#!/bin/sh
# The rules of the kernel without their counters.
(iptables-save; ip6tables-save) | sed 's/ [[].*//; /^#/d'
