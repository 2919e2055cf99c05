#!/bin/sh
# Prints the etcdctl commands that fence a region into its own key ranges. Usage: deploy/etcd-roles.sh dc1 | sh
# The tag is the first four bytes of SHA-256 of the region id: all task ids of the region begin with it (docs/adr/0001).
set -eu
region=${1:?usage: etcd-roles.sh REGION_ID}
case "$region" in *[!a-z0-9-]*|-*|*-) echo "region ids have lower-case letters, digits and inner hyphens" >&2; exit 2 ;; esac
tag=$(printf %s "$region" | sha256sum | cut -c1-8)
role="lpmos-region-$region"
echo "etcdctl role add $role"
echo "etcdctl role grant-permission $role readwrite --prefix=true /lpmos/tasks/$tag-"
echo "etcdctl role grant-permission $role readwrite --prefix=true /lpmos/regions/$region/"
echo "etcdctl role grant-permission $role read --prefix=true /lpmos/config/"
echo "# What the region reports of agents is advisory and shared by all regions:"
echo "etcdctl role grant-permission $role write --prefix=true /lpmos/agents/"
echo "# With client certificates the user is the common name of the region's certificate:"
echo "etcdctl user add $role --no-password"
echo "etcdctl user grant-role $role $role"
