"""What runs in a process of its own (`harvesters.apart`): readers of Parquet and of map layers."""
