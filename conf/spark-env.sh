# Every listener of Spark on loopback: the UI and the block manager would bind to all addresses.
export SPARK_LOCAL_IP="${SPARK_LOCAL_IP:-127.0.0.1}"
