// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// blockIOLimits are the rows of linux.resources.blockIO (config-linux.md, "Block IO"; kernel
// admin-guide/cgroup-v1/blkio-controller.rst, block/bfq-iosched.rst, admin-guide/cgroup-v2.rst "IO Interface Files").
// Weights are the BFQ scheduler's where the kernel has it, else those of v1's CFQ, which left with Linux 5.0, or of
// v2's iocost. A weight of 0 is not set.
var blockIOLimits = [...]limit{
	{
		member: "blockIO.weight", controller: "blkio",
		v1: form{"blkio.bfq.weight, else blkio.weight", func(r *specs.LinuxResources) []write {
			return weights("", r.BlockIO.Weight, bfqWeightV1, asItIs)
		}},
		v2: form{"io.bfq.weight, else io.weight", func(r *specs.LinuxResources) []write {
			return weights("", r.BlockIO.Weight, bfqWeightV2, ioWeight)
		}},
	},
	{
		member: "blockIO.leafWeight", controller: "blkio",
		v1: form{"blkio.leaf_weight", func(r *specs.LinuxResources) []write {
			return weights("", r.BlockIO.LeafWeight, leafWeight, asItIs)
		}},
		instead: "leave it out: it was for the CFQ scheduler, which left with Linux 5.0",
	},
	{
		member: "blockIO.weightDevice", controller: "blkio",
		v1: form{"blkio.bfq.weight_device, else blkio.weight_device", func(r *specs.LinuxResources) []write {
			return deviceWeights(r, func(d *specs.LinuxWeightDevice) *uint16 { return d.Weight }, bfqDevicesV1, asItIs)
		}},
		v2: form{"io.bfq.weight, else io.weight", func(r *specs.LinuxResources) []write {
			return deviceWeights(r, func(d *specs.LinuxWeightDevice) *uint16 { return d.Weight }, bfqWeightV2, ioWeight)
		}},
	},
	{
		member: "blockIO.weightDevice, leafWeight", controller: "blkio",
		v1: form{"blkio.leaf_weight_device", func(r *specs.LinuxResources) []write {
			return deviceWeights(r, func(d *specs.LinuxWeightDevice) *uint16 { return d.LeafWeight }, leafDevices, asItIs)
		}},
		instead: "leave it out: it was for the CFQ scheduler, which left with Linux 5.0",
	},
	{
		member: "blockIO.throttleReadBpsDevice", controller: "blkio",
		v1: form{"blkio.throttle.read_bps_device", func(r *specs.LinuxResources) []write {
			return throttlesV1("blkio.throttle.read_bps_device", r.BlockIO.ThrottleReadBpsDevice)
		}},
		v2: form{"io.max", func(r *specs.LinuxResources) []write {
			return throttlesV2("rbps", r.BlockIO.ThrottleReadBpsDevice)
		}},
	},
	{
		member: "blockIO.throttleWriteBpsDevice", controller: "blkio",
		v1: form{"blkio.throttle.write_bps_device", func(r *specs.LinuxResources) []write {
			return throttlesV1("blkio.throttle.write_bps_device", r.BlockIO.ThrottleWriteBpsDevice)
		}},
		v2: form{"io.max", func(r *specs.LinuxResources) []write {
			return throttlesV2("wbps", r.BlockIO.ThrottleWriteBpsDevice)
		}},
	},
	{
		member: "blockIO.throttleReadIOPSDevice", controller: "blkio",
		v1: form{"blkio.throttle.read_iops_device", func(r *specs.LinuxResources) []write {
			return throttlesV1("blkio.throttle.read_iops_device", r.BlockIO.ThrottleReadIOPSDevice)
		}},
		v2: form{"io.max", func(r *specs.LinuxResources) []write {
			return throttlesV2("riops", r.BlockIO.ThrottleReadIOPSDevice)
		}},
	},
	{
		member: "blockIO.throttleWriteIOPSDevice", controller: "blkio",
		v1: form{"blkio.throttle.write_iops_device", func(r *specs.LinuxResources) []write {
			return throttlesV1("blkio.throttle.write_iops_device", r.BlockIO.ThrottleWriteIOPSDevice)
		}},
		v2: form{"io.max", func(r *specs.LinuxResources) []write {
			return throttlesV2("wiops", r.BlockIO.ThrottleWriteIOPSDevice)
		}},
	},
}

// Files of weights: the one that is tried first, and the one for a kernel without it, "" if there is none.
var (
	bfqWeightV1  = [2]string{"blkio.bfq.weight", "blkio.weight"}
	bfqDevicesV1 = [2]string{"blkio.bfq.weight_device", "blkio.weight_device"}
	bfqWeightV2  = [2]string{"io.bfq.weight", "io.weight"}
	leafWeight   = [2]string{"blkio.leaf_weight", ""}
	leafDevices  = [2]string{"blkio.leaf_weight_device", ""}
)

// weights writes one weight to the first of two files that is there. It is in the scale of v1 and BFQ; convert makes
// that of the second file of it. device is "MAJOR:MINOR ", or nothing for all devices.
func weights(device string, weight *uint16, files [2]string, convert func(uint16) uint64) []write {
	if !given(weight, 0) {
		return nil
	}
	w := write{file: files[0], value: device + strconv.FormatUint(uint64(*weight), 10)}
	if files[1] != "" {
		w.or = &write{file: files[1], value: device + strconv.FormatUint(convert(*weight), 10)}
	}
	return []write{w}
}

func asItIs(weight uint16) uint64 { return uint64(weight) }

func deviceWeights(r *specs.LinuxResources, of func(*specs.LinuxWeightDevice) *uint16, files [2]string, convert func(uint16) uint64) []write {
	var list []write
	for i := range r.BlockIO.WeightDevice {
		d := &r.BlockIO.WeightDevice[i]
		for _, w := range weights(fmt.Sprintf("%d:%d ", d.Major, d.Minor), of(d), files, convert) {
			w.entry = i + 1
			list = append(list, w)
		}
	}
	return list
}

// throttlesV1 writes "MAJOR:MINOR RATE" lines; a rate of 0 takes the limit away (blkio-controller.rst).
func throttlesV1(file string, devices []specs.LinuxThrottleDevice) []write {
	var list []write
	for i, d := range devices {
		list = append(list, write{file: file, value: fmt.Sprintf("%d:%d %d", d.Major, d.Minor, d.Rate), entry: i + 1})
	}
	return list
}

// throttlesV2 writes "MAJOR:MINOR KEY=RATE" lines; the kernel keeps what it has for the other keys.
func throttlesV2(key string, devices []specs.LinuxThrottleDevice) []write {
	var list []write
	for i, d := range devices {
		list = append(list, write{file: "io.max", value: fmt.Sprintf("%d:%d %s=%s", d.Major, d.Minor, key, rateOrMax(d.Rate)), entry: i + 1})
	}
	return list
}

// Range of a weight of v1 (blkio-controller.rst). BFQ takes 1 to 9 as well, iocost's scale has nothing for them.
const blockWeightMin, blockWeightMax = 10, 1000

func checkBlockIO(r *specs.LinuxResources, _ Version) error {
	b := r.BlockIO
	if err := checkWeight("blockIO.weight", b.Weight); err != nil {
		return err
	}
	if err := checkWeight("blockIO.leafWeight", b.LeafWeight); err != nil {
		return err
	}
	for i, d := range b.WeightDevice {
		member := fmt.Sprintf("blockIO.weightDevice[%d]", i)
		if d.Weight == nil && d.LeafWeight == nil {
			return errors.New(memberPrefix + member + ": want weight or leafWeight")
		}
		if err := checkNumbers(member, d.Major, d.Minor); err != nil {
			return err
		}
		if err := checkWeight(member+".weight", d.Weight); err != nil {
			return err
		}
		if err := checkWeight(member+".leafWeight", d.LeafWeight); err != nil {
			return err
		}
	}
	for _, list := range [...]struct {
		member  string
		devices []specs.LinuxThrottleDevice
	}{
		{"blockIO.throttleReadBpsDevice", b.ThrottleReadBpsDevice},
		{"blockIO.throttleWriteBpsDevice", b.ThrottleWriteBpsDevice},
		{"blockIO.throttleReadIOPSDevice", b.ThrottleReadIOPSDevice},
		{"blockIO.throttleWriteIOPSDevice", b.ThrottleWriteIOPSDevice},
	} {
		for i, d := range list.devices {
			if err := checkNumbers(fmt.Sprintf("%s[%d]", list.member, i), d.Major, d.Minor); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkWeight(member string, weight *uint16) error {
	if given(weight, 0) && (*weight < blockWeightMin || *weight > blockWeightMax) {
		return invalid(member, *weight, fmt.Sprintf("%d to %d", blockWeightMin, blockWeightMax))
	}
	return nil
}

// checkNumbers refuses what is no device number, and 0:0, which is what an entry has that names no device.
func checkNumbers(member string, major, minor int64) error {
	if major < 0 || minor < 0 || major == 0 && minor == 0 {
		return fmt.Errorf("%s%s: %d:%d is no block device (want major and minor)", memberPrefix, member, major, minor)
	}
	return nil
}
